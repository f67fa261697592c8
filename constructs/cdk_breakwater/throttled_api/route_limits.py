"""The limits of an API's routes: given, or derived from the concurrency of the functions behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations

from .._cdk.function_qualifiers import unqualified
from .._cdk.function_settings import rendered_timeout
from .._cdk.lazy import lazy_number
from ..budgets.mapping_division import FunctionConcurrency
from ..errors import BreakwaterError
from .function_load import FunctionLoad, burst_within, derived_throttle
from .throttle import Throttle

if TYPE_CHECKING:
    from aws_cdk import Duration
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

THE_API = "the API"


class RouteLimits:
    """Finds the limits of one API's routes.

    Parameters
    ----------
    api
        What errors and warnings name.
    late
        Whether to let in all that a function can do at best.
    longest
        Seconds that an API of this kind waits for an answer.
    """

    def __init__(self, api: Construct, *, late: bool, longest: int) -> None:
        self._api = api
        self._late = late
        self._longest = longest
        self._unreserved: set[lambda_.IFunction] = set()

    def seconds(self, duration: Duration | None) -> float | None:
        """Return an expected duration in seconds."""
        if duration is None:
            return None
        if duration.is_unresolved() or duration.to_milliseconds() <= 0:
            raise BreakwaterError(self._api, f"expected_duration must be a known time above 0 (given {duration}).", "")
        seconds = duration.to_milliseconds() / 1000
        if seconds > self._longest:
            raise BreakwaterError(
                self._api,
                f"expected_duration is {seconds:g} s, and API Gateway gives up an answer after {self._longest} s.",
                "Put a DecoupledInvocation with a front door in its place: 202 now, the result later.",
            )
        return seconds

    def throttle(
        self,
        what: str,
        function: lambda_.IFunction,
        seconds: float | None,
        rate_limit: float | None,
        burst_limit: int | None,
        *,
        counts: bool = True,
    ) -> Throttle:
        """Return the limits of a route.

        Parameters
        ----------
        what
            The route, for messages, or `THE_API`: everything that is no route of its own.
        function
            The function that answers the requests.
        seconds
            How long one request takes.
        rate_limit, burst_limit
            What the user gives.
        counts
            Whether it asks for a part of the function's concurrency.
        """
        timeout = rendered_timeout(unqualified(function))
        if seconds is not None and timeout is not None and seconds > timeout:
            raise BreakwaterError(
                self._api,
                f"{what}: expected_duration is {seconds:g} s, and {function.node.path} is ended after {timeout} s.",
                "Raise its timeout.",
            )
        concurrency = FunctionConcurrency.of(function)
        if concurrency is None:
            self._warn_of_unreserved(function, what, rate_limit)
        if rate_limit is not None:
            given = Throttle.given(self._api, what, rate_limit, burst_limit)
            if concurrency is None:
                return given
            if counts:
                return FunctionLoad.of(concurrency).add_given(
                    self._api, what, given, seconds, burst_limit=burst_limit, late=self._late
                )
            # The stage's limits, where all routes have their own.
            return given if burst_limit is not None else _with_burst(given, concurrency, seconds)
        if seconds is None or concurrency is None:
            raise BreakwaterError(
                self._api,
                f"{what}: neither rate_limit nor expected_duration is given.",
                "Give expected_duration=Duration.millis(…), and the rate follows from the function's share.",
            )
        if burst_limit is not None:
            burst_limit = Throttle.given(self._api, what, 1, burst_limit).burst_limit
        if counts:
            return FunctionLoad.of(concurrency).add_derived(self._api, what, burst_limit, seconds, late=self._late)
        return derived_throttle(concurrency.resolve, seconds, burst_limit, late=self._late)

    def _warn_of_unreserved(self, function: lambda_.IFunction, what: str, rate_limit: float | None) -> None:
        if rate_limit is None:
            raise BreakwaterError(
                self._api,
                f"the rate of {what} shall be derived, and {function.node.path} has no share and no reserved "
                "concurrency.",
                "Give rate_limit=…, or use VpcDatabaseFunction or share.limit(function).",
            )
        if function not in self._unreserved:
            self._unreserved.add(function)
            Annotations.of(self._api).add_warning_v2(
                "cdk-breakwater:unreserved-function",
                f"API Gateway's limits are targets, not ceilings, and {function.node.path} has no reserved "
                "concurrency to hold the line.",
            )


def _with_burst(given: Throttle, concurrency: FunctionConcurrency, seconds: float | None) -> Throttle:
    def burst() -> int:
        return burst_within(concurrency.resolve() - given.rate_limit * (seconds or 0), given.rate_limit, seconds)

    return Throttle(given.rate_limit, lazy_number(burst))
