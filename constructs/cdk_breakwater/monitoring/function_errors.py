"""The alarm on a function's errors: one for each function, whichever construct is asked for it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alarms import PERIOD, make_alarm

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from constructs import Construct, IConstruct

    from .._cdk.parameter_types import Function

_WATCHED: set[IConstruct] = set()


def errors_alarm(scope: Construct, function: Function, *, id: str = "Errors") -> list[cloudwatch.Alarm]:
    """Make it, unless there is one.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    function
        Whose errors: exceptions, timeouts, and processes that die. An alias or a version is counted by itself.
    """
    if function in _WATCHED:
        return []
    _WATCHED.add(function)
    path = function.node.path
    return [
        make_alarm(
            scope,
            id,
            function.metric_errors(statistic="sum", period=PERIOD),
            threshold=1,
            minutes=3,
            of_minutes=5,
            description=f"Invocations of {path} have failed in three of five minutes: with an exception, with a "
            "timeout, or because the process ended. The log shows which.",
        )
    ]
