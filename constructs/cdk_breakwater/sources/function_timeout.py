"""How long a function may take, which the limits of its sources follow from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._cdk.function_qualifiers import unqualified
from ..errors import BreakwaterError
from ..limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from .buffer import Buffer


def timeout_seconds(invocation: Buffer, why: str) -> int:
    """Return the timeout of an invocation's function.

    Parameters
    ----------
    invocation
        Whose function.
    why
        What needs it, for the error.

    Raises
    ------
    BreakwaterError
        When it is a token.
    """
    function = unqualified(invocation.function)
    timeout = getattr(function, "timeout", None)
    if timeout is None:
        return DEFAULT_TIMEOUT_SECONDS
    if timeout.is_unresolved():
        raise BreakwaterError(
            invocation, f"the timeout of {function.node.path} is a token, and {why}.", "Give it a plain Duration."
        )
    return int(timeout.to_seconds())
