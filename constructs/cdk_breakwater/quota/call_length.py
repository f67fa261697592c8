"""How long a call may last, and the dispatcher that awaits its end."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_

from .._cdk.function_qualifiers import unqualified
from .._cdk.function_settings import rendered_timeout
from .._cdk.late_validation import validate_at_synth
from ..errors import BreakwaterError
from ..limits.aws_lambda import MAXIMUM_TIMEOUT_SECONDS
from .tier import LATE_MILLISECONDS

if TYPE_CHECKING:
    from constructs import IConstruct

    from .._cdk.parameter_types import Function

# Milliseconds. The dispatcher starts a call at most 2 s after its slot (LATE in its code), and has a connection within
# 1 s; a cold start lasts at most 10 s before the timeout counts (AWS Lambda Developer Guide, "Init phase"); 1 s for the
# way there and back.
AROUND_THE_CALL = LATE_MILLISECONDS + 1_000 + 10_000 + 1_000
_WORKING_SECONDS = 300
_SHORTEST_WORK_SECONDS = 60
_LONGEST_SECONDS = MAXIMUM_TIMEOUT_SECONDS - _SHORTEST_WORK_SECONDS - AROUND_THE_CALL // 1_000


def longest_call(quota: IConstruct, function: Function) -> int:
    """Return how long (ms) after the start of its slot a call has ended for certain.

    The synth fails where an Aspect or an override raises the timeout after that.

    Raises
    ------
    BreakwaterError
        When the function's timeout is unknown, or longer than a dispatcher can wait for.
    """
    timeout = _timeout(quota, function)
    if timeout > _LONGEST_SECONDS:
        raise BreakwaterError(
            quota,
            f"the function's timeout of {timeout} s is longer than a dispatcher can wait for.",
            f"It is {_LONGEST_SECONDS} s at most: the dispatcher itself ends after {MAXIMUM_TIMEOUT_SECONDS} s.",
        )
    validate_at_synth(quota, partial(_raised, function, timeout))
    return 1_000 * timeout + AROUND_THE_CALL


def dispatcher_timeout(longest_call: int) -> Duration:
    """Return long enough to work for minutes, and to await the last call's end."""
    work = max(_WORKING_SECONDS, ceil(longest_call / 1000) + _SHORTEST_WORK_SECONDS)
    return Duration.seconds(min(MAXIMUM_TIMEOUT_SECONDS, work))


def _timeout(quota: IConstruct, function: Function) -> int:
    found = unqualified(function)
    timeout = rendered_timeout(found) if isinstance(found, lambda_.Function) else None
    if timeout is None:
        raise BreakwaterError(
            quota,
            f"the timeout of {function.node.path} is unknown, so nobody knows when a call must have ended.",
            "Use a function that this app creates, with a plain timeout.",
        )
    return timeout


def _raised(function: Function, timeout: int) -> list[str]:
    """Refuse a timeout with which calls would be taken for ended, and made again, while they run."""
    found = unqualified(function)
    final = rendered_timeout(found)
    if final is not None and final <= timeout:
        return []
    said, right = ("a token", "a plain Duration") if final is None else (f"{final} s", f"Duration.seconds({final})")
    return [
        f"the timeout of {found.node.path} is {said} in the template, and was {timeout} s when the quota was made: an "
        "Aspect or an override came after it, and calls would be made again while they still run. Give the function "
        f"timeout={right}, {_LONGEST_SECONDS} s at most, where it is made."
    ]
