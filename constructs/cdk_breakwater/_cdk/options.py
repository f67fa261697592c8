"""The options that a construct passes on to the CDK's: an unknown one is an error in our words, not in jsii's."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from constructs import IConstruct


def require_known_options(
    where: IConstruct | str, options: Iterable[str], own: Callable[..., Any], *passed_to: Callable[..., Any]
) -> None:
    """Refuse an option that neither the callable itself has nor what its options are passed on to.

    Parameters
    ----------
    where
        The construct, or its path.
    options
        The names given.
    own
        What the user called: a class or a method.
    passed_to
        The CDK's classes or methods that take the options.

    Raises
    ------
    BreakwaterError
        With the nearest name that would be right.
    """
    known = {name for each in passed_to for name in _parameters(each)}
    for name in options:
        if name not in known:
            near = get_close_matches(name, sorted(known | _parameters(own)), n=1, cutoff=0.5)
            raise BreakwaterError(
                where,
                f"{own.__qualname__} has no option {name!r}.",
                f"Did you mean {near[0]!r}?" if near else "Its docstring lists the options.",
            )


@cache
def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    parameters = signature(function.__init__ if isinstance(function, type) else function).parameters
    return frozenset(parameters) - {"self", "scope", "id", "options"}
