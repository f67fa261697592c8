"""A pair of limits: a rate and a burst."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import Token

from .._cdk.arguments import shown
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from constructs import IConstruct


@dataclass(frozen=True)
class Throttle:
    """The limits of API Gateway's token bucket.

    Parameters
    ----------
    rate_limit
        Requests per second; a number, or a lazy one.
    burst_limit
        Requests at once; a whole number, or a lazy one.
    """

    rate_limit: float
    burst_limit: int

    @staticmethod
    def given(
        where: IConstruct,
        what: str,
        rate_limit: float,
        burst_limit: int | None,
    ) -> Throttle:
        """Check the limits that a user gives.

        Parameters
        ----------
        where
            The construct that an error names.
        what
            What they limit, for messages.
        rate_limit, burst_limit
            The limits. The burst's default is the rate rounded up.

        Raises
        ------
        BreakwaterError
            When one is a token or not above 0.
        """
        if isinstance(rate_limit, bool) or not isinstance(rate_limit, (int, float)):
            raise BreakwaterError(
                where, f"rate_limit of {what} is {shown(rate_limit)}.", "Give a plain number of requests per second."
            )
        if math.isfinite(rate_limit) and Token.is_unresolved(rate_limit):  # jsii cannot carry inf and nan
            raise BreakwaterError(
                where,
                f"rate_limit of {what} is a token (given {Token.as_string(rate_limit)}).",
                "Give a plain number of requests per second.",
            )
        if not (rate_limit > 0 and math.isfinite(rate_limit)):
            raise BreakwaterError(
                where, f"rate_limit of {what} must be above 0 (given {rate_limit}).", "It counts requests per second."
            )
        if burst_limit is not None:
            return Throttle(rate_limit, required_number(where, f"burst_limit of {what}", burst_limit))
        return Throttle(rate_limit, math.ceil(rate_limit))
