"""Whole numbers that must be known at synth, since others are computed from them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from aws_cdk import Token

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from constructs import IConstruct


def required_number(where: IConstruct | str, name: str, value: float, *, minimum: int = 1) -> int:
    """Insist on a whole number that is known now.

    Parameters
    ----------
    where
        The construct that the error names, or its path.
    name
        The parameter's name.
    value
        What the user gave.
    minimum
        The least that is right.

    Raises
    ------
    BreakwaterError
        When the value is a token, not whole, or below the minimum.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        text = isinstance(value, str) and value.strip().isdecimal()
        remedy = f"Give a number: {name.split(maxsplit=1)[0]}=int(…)." if text else "Give a plain number."
        raise BreakwaterError(where, f"{name} must be a whole number (given {value!r}).", remedy)
    if math.isfinite(value) and Token.is_unresolved(value):  # jsii cannot carry inf and nan
        raise BreakwaterError(
            where,
            f"{name} is a token (given {Token.as_string(value)}), and must be known at synth.",
            "Give a plain number.",
        )
    if not (math.isfinite(value) and value == int(value) and value >= minimum):
        problem = f"{name} must be a whole number of at least {minimum} (given {value})."
        raise BreakwaterError(where, problem, f"Give {minimum}, or a whole number above it.")
    return int(value)
