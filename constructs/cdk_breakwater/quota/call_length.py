"""How long a call may last, and the dispatcher that awaits its end."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_

from .._cdk.function_qualifiers import unqualified
from ..errors import BreakwaterError
from ..limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS, MAXIMUM_TIMEOUT_SECONDS
from .tier import LATE_MILLISECONDS

if TYPE_CHECKING:
    from constructs import IConstruct

    from .._cdk.parameter_types import Function

# Milliseconds. The dispatcher starts a call at most 2 s after its slot (LATE in its code), and has a connection within
# 1 s; a cold start lasts at most 10 s before the timeout counts (AWS Lambda Developer Guide, "Init phase"); 1 s for the
# way there and back.
_AROUND_THE_CALL = LATE_MILLISECONDS + 1_000 + 10_000 + 1_000
_WORKING_SECONDS = 300
_SHORTEST_WORK_SECONDS = 60


def longest_call(quota: IConstruct, function: Function) -> int:
    """Return how long (ms) after the start of its slot a call has ended for certain.

    Raises
    ------
    BreakwaterError
        When the function's timeout is unknown, or longer than a dispatcher can wait for.
    """
    timeout = _timeout(quota, function)
    longest = 1_000 * timeout + _AROUND_THE_CALL
    most = MAXIMUM_TIMEOUT_SECONDS - _SHORTEST_WORK_SECONDS
    if ceil(longest / 1000) > most:
        raise BreakwaterError(
            quota,
            f"the function's timeout of {timeout} s is longer than a dispatcher can wait for.",
            f"It is {most - _AROUND_THE_CALL // 1000} s at most: the dispatcher itself ends after "
            f"{MAXIMUM_TIMEOUT_SECONDS} s.",
        )
    return longest


def dispatcher_timeout(longest_call: int) -> Duration:
    """Return long enough to work for minutes, and to await the last call's end."""
    work = max(_WORKING_SECONDS, ceil(longest_call / 1000) + _SHORTEST_WORK_SECONDS)
    return Duration.seconds(min(MAXIMUM_TIMEOUT_SECONDS, work))


def _timeout(quota: IConstruct, function: Function) -> int:
    found = unqualified(function)
    timeout = getattr(found, "timeout", None)
    if not isinstance(found, lambda_.Function) or (timeout is not None and timeout.is_unresolved()):
        raise BreakwaterError(
            quota,
            f"the timeout of {function.node.path} is unknown, so nobody knows when a call must have ended.",
            "Use a function that this app creates, with a plain timeout.",
        )
    return DEFAULT_TIMEOUT_SECONDS if timeout is None else int(timeout.to_seconds())
