"""What a function shows and when it calls for help: its concurrency against its share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .._cdk.lazy import lazy_number, lazy_string
from ..budgets.mapping_division import FunctionConcurrency
from ..budgets.runtime_metrics import runtime_widgets
from ..monitoring.alarms import ABOVE, PERIOD, graph, make_alarm, make_alarms
from ..monitoring.function_errors import errors_alarm
from ..monitoring.lambda_metrics import concurrency

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from ..monitoring.alarm_target import AlarmTarget

_LONG = 15
"""Minutes. A burst that a share can take is over by then."""


def function_alarms(function: lambda_.Function, topic_or_action: AlarmTarget | None) -> list[cloudwatch.Alarm]:
    """Make the alarms of a function; see `PreparedFunction.alarms`."""
    limit = _limit(function)
    concurrency_name = "share" if limit is not None and limit.share is not None else "reserved concurrency"

    def make(scope: Construct) -> list[cloudwatch.Alarm]:
        throttles = make_alarm(
            scope,
            "Throttles",
            function.metric_throttles(period=PERIOD),
            threshold=1,
            minutes=3,
            of_minutes=5,
            description=f"Lambda throttles {function.node.path}: more invocations arrive than its concurrency allows. "
            f"Put a queue in front of it, or raise its {concurrency_name}.",
        )
        errors = errors_alarm(scope, function)
        return [*errors, throttles, *_concurrency_alarms(scope, function, limit)]

    return make_alarms(function, make, topic_or_action)


def _concurrency_alarms(
    scope: Construct, function: lambda_.Function, limit: FunctionConcurrency | None
) -> list[cloudwatch.Alarm]:
    if limit is None:
        return []
    path = function.node.path
    if limit.share is not None and limit.share.reserves is None:
        # Nothing reserved: here the share can be exceeded.
        return [
            make_alarm(
                scope,
                "Concurrency",
                concurrency(function),
                threshold=lazy_number(limit.resolve),
                comparison_operator=ABOVE,
                description=lazy_string(
                    lambda: (
                        f"{path} exceeds its share of {limit.resolve()}, and takes connections of other functions. "
                        "Reserve its concurrency: remove reserve_concurrency=False."
                    )
                ),
            )
        ]
    if limit.mappings:
        return []  # behind a queue or stream, the share is there to be used up, and its alarms report the backlog
    remedy = (
        "Raise its reserved concurrency, or make its invocations shorter."
        if limit.share is None
        else "Raise its share, or the connections of the database, or make its invocations shorter."
    )
    return [
        make_alarm(
            scope,
            "Concurrency",
            concurrency(function),
            threshold=lazy_number(limit.resolve),
            minutes=_LONG,
            description=lazy_string(
                lambda: (
                    f"{path} has been at its limit of {limit.resolve()} for {_LONG} minutes, so work waits. {remedy}"
                )
            ),
        )
    ]


def function_widgets(function: lambda_.Function) -> list[cloudwatch.IWidget]:
    """Return the widgets of a function; see `PreparedFunction.widgets`."""
    path = function.node.path
    limit = _limit(function)
    limits = [] if limit is None else [("share" if limit.share else "reserved", lazy_number(limit.resolve))]
    timeout = function.timeout
    return [
        graph(
            f"{path}: concurrency",
            [concurrency(function)],
            limits=limits,
            right=[function.metric_throttles(period=PERIOD)],
            right_unit="throttles",
        ),
        graph(
            f"{path}: duration",
            [
                function.metric_duration(period=PERIOD, statistic="avg", label="average"),
                function.metric_duration(period=PERIOD, statistic="p99", label="p99"),
            ],
            limits=[("timeout", timeout.to_milliseconds())] if timeout and not timeout.is_unresolved() else [],
            unit="ms",
            right=[function.metric_errors(period=PERIOD)],
            right_unit="errors",
        ),
        *runtime_widgets(cast("lambda_.IFunction", function)),
    ]


def _limit(function: lambda_.Function) -> FunctionConcurrency | None:
    return FunctionConcurrency.of(cast("lambda_.IFunction", function))
