"""What a quota shows and when it calls for help. The metrics are those of SQS, Lambda and of the dispatcher's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ..monitoring.alarms import (
    HEIGHT,
    MAXIMUM_METRICS,
    NAMESPACE,
    PERIOD,
    WIDTH,
    add_actions,
    graph,
    make_alarm,
    require_no_alarms,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_sqs as sqs

    from ..monitoring.alarm_target import AlarmTarget
    from .invocation import QuotaThrottledInvocation
    from .queues import QuotaQueues
    from .tier import QuotaTier

_OLD = Duration.days(10)
"""A message that SQS holds is lost after 14 days; one on the shelf never."""


def quota_alarms(
    quota: QuotaThrottledInvocation, queues: QuotaQueues, action: AlarmTarget | None
) -> list[cloudwatch.Alarm]:
    """Add the alarms of a quota; see `QuotaThrottledInvocation.alarms`."""
    require_no_alarms(quota)
    held = [*queues.doors, *queues.former]
    alarms = [
        make_alarm(
            quota,
            "DeadLettersAlarm",
            queues.dead_letter_queue.metric_approximate_number_of_messages_visible(statistic="max", period=PERIOD),
            threshold=1,
            description="A message failed for good; its attribute Reason says why.",
        ),
        *(
            make_alarm(
                quota,
                f"AgeAlarm{first or ''}",
                _age(held[first : first + MAXIMUM_METRICS]),
                threshold=_OLD.to_seconds(),
                description="A message was not filed for 10 days, and SQS drops it after 14: the intake fails.",
            )
            for first in range(0, len(held), MAXIMUM_METRICS)
        ),
        *(
            make_alarm(
                quota,
                f"{name.capitalize()}Alarm",
                function.metric_errors(period=PERIOD),
                threshold=1,
                minutes=3,
                of_minutes=5,
                description=f"The {name} fails again and again; messages wait meanwhile.",
            )
            for name, function in {"dispatcher": quota.dispatcher, "intake": quota.intake}.items()
        ),
    ]
    return add_actions(quota, alarms, action)


def quota_widgets(quota: QuotaThrottledInvocation, queues: QuotaQueues) -> list[cloudwatch.IWidget]:
    """Return the widgets of a quota; see `QuotaThrottledInvocation.widgets`."""
    backlog = _held(quota, "Backlog", {})
    path = quota.node.path
    return [
        *(_tier_widget(quota, tier) for tier in quota.tiers),
        graph(f"{path}: calls", [_metric(quota, name) for name in ("Calls", "Failures", "DeadLettered", "Signals")]),
        graph(f"{path}: backlog", [backlog], right=[_age(queues.doors)], right_unit="oldest not yet filed (s)"),
        *_drained_widget(quota, backlog),
    ]


def _drained_widget(quota: QuotaThrottledInvocation, backlog: cloudwatch.IMetric) -> list[cloudwatch.IWidget]:
    # What the backlog weighs is not known.
    slowest = min((tier for tier in quota.tiers if not tier.weight), key=lambda tier: tier.per_second, default=None)
    if slowest is None:
        return []
    drained = cloudwatch.MathExpression(
        expression=f"backlog / {slowest.per_second * 3600:.6g}",
        using_metrics={"backlog": backlog},
        label=f"hours at {slowest}",
        period=PERIOD,
    )
    title = f"{quota.node.path}: time until drained"
    return [cloudwatch.SingleValueWidget(title=title, width=WIDTH, height=HEIGHT, metrics=[drained])]


def _tier_widget(quota: QuotaThrottledInvocation, tier: QuotaTier) -> cloudwatch.GraphWidget:
    setting = tier.setting()
    kind = "arrival" if tier.counted == "arrival" else tier.start
    rest = "".join(f":{setting[name]}" for name in ("zone_name", "weight") if name in setting)
    used = _held(quota, "Used", {"Tier": f"{kind}:{setting['period']}{rest}"})
    return graph(f"{quota.node.path}: used of {tier}", [used], limits=[("limit", tier.limit)])


def _metric(quota: QuotaThrottledInvocation, name: str) -> cloudwatch.Metric:
    dimensions = {"Quota": quota.node.path}
    return cloudwatch.Metric(
        namespace=NAMESPACE, metric_name=name, dimensions_map=dimensions, statistic="sum", period=PERIOD
    )


def _held(quota: QuotaThrottledInvocation, name: str, dimensions: dict[str, str]) -> cloudwatch.IMetric:
    """Return what all counters of a quota hold together: where there are several, each says it under its number.

    How many there are, only the table knows, so they are searched for.
    """
    named = {"Quota": quota.node.path, **dimensions}
    if quota.counters == 1:
        return cloudwatch.Metric(
            namespace=NAMESPACE, metric_name=name, dimensions_map=named, statistic="max", period=PERIOD
        )
    wanted = {"Namespace": NAMESPACE, "MetricName": name, **named}
    terms = " ".join(f'{key}="{value}"' for key, value in wanted.items())
    search = f"SEARCH('{terms}', 'Maximum', {int(PERIOD.to_seconds())})"
    return cloudwatch.MathExpression(expression=f"SUM({search})", using_metrics={}, label=name, period=PERIOD)


def _age(lanes: Sequence[sqs.Queue]) -> cloudwatch.MathExpression:
    metrics: dict[str, cloudwatch.IMetric] = {
        f"age{number}": lane.metric_approximate_age_of_oldest_message(statistic="max", period=PERIOD)
        for number, lane in enumerate(lanes)
    }
    return cloudwatch.MathExpression(
        expression=f"MAX([{', '.join(metrics)}])", using_metrics=metrics, label="oldest message", period=PERIOD
    )
