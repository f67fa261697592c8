"""The account and Region of a construct's stack, which another one may have to be in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack, Token

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from constructs import IConstruct


def require_same_environment(where: IConstruct, other: IConstruct, why: str) -> None:
    """Refuse another account or Region, as far as both are known.

    Parameters
    ----------
    where
        The construct that the error names.
    other
        What must be where that is.
    why
        Why it must.

    Raises
    ------
    BreakwaterError
        With both paths and both environments.
    """
    here, there = Stack.of(where), Stack.of(other)
    pairs = ((here.account, there.account), (here.region, there.region))
    if any(one != two and not Token.is_unresolved(one) and not Token.is_unresolved(two) for one, two in pairs):
        raise BreakwaterError(
            where,
            f"it is in {_words(here)}, and {other.node.path} in {_words(there)}: {why}.",
            "Put both in stacks of the same account and Region.",
        )


def _words(stack: Stack) -> str:
    account, region = ("unknown" if Token.is_unresolved(value) else value for value in (stack.account, stack.region))
    return f"account {account}, Region {region}"
