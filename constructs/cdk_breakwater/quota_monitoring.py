"""What a quota shows and when it calls for help. The metrics are those of SQS, Lambda and of the dispatcher's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

if TYPE_CHECKING:
    from .quota_queues import QuotaQueues
    from .quota_throttled_invocation import QuotaThrottledInvocation
    from .quota_tier import QuotaTier

_NAMESPACE = "Breakwater"
_OLD = Duration.days(10)
"""A message in a queue is lost after 14 days."""
_PERIOD = Duration.minutes(1)


def quota_alarms(
    quota: QuotaThrottledInvocation, queues: QuotaQueues, action: cloudwatch.IAlarmAction | None
) -> list[cloudwatch.Alarm]:
    """Add the alarms of a quota; see `QuotaThrottledInvocation.alarms`."""
    dead = queues.dead_letter_queue.metric_approximate_number_of_messages_visible(statistic="max", period=_PERIOD)
    errors = {"dispatcher": quota.dispatcher, "intake": quota.intake}
    alarms = [
        dead.create_alarm(
            quota,
            "DeadLettersAlarm",
            alarm_description="A message failed for good; its attribute Reason says why.",
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        ),
        _age(queues).create_alarm(
            quota,
            "AgeAlarm",
            alarm_description="A message has waited for 10 days. SQS drops it after 14: the quota is too low by now.",
            threshold=_OLD.to_seconds(),
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        ),
        *(
            function.metric_errors(period=_PERIOD).create_alarm(
                quota,
                f"{name.capitalize()}Alarm",
                alarm_description=f"The {name} fails again and again; messages wait meanwhile.",
                threshold=1,
                evaluation_periods=5,
                datapoints_to_alarm=3,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            for name, function in errors.items()
        ),
    ]
    if action is not None:
        for alarm in alarms:
            alarm.add_alarm_action(action)
    return alarms


def quota_widgets(quota: QuotaThrottledInvocation, queues: QuotaQueues) -> list[cloudwatch.IWidget]:
    """Return the widgets of a quota; see `QuotaThrottledInvocation.dashboard_widgets`."""
    slowest = min(quota.tiers, key=lambda tier: tier.per_second)
    drained = cloudwatch.MathExpression(
        expression=f"({_sum(queues)}) / {slowest.per_second * 3600:.6g}",
        using_metrics=_visible(queues),
        label=f"hours at {slowest}",
        period=_PERIOD,
    )
    return [
        *(_tier_widget(quota, tier) for tier in quota.tiers),
        cloudwatch.GraphWidget(
            title="Calls",
            left=[_metric(quota, name) for name in ("Calls", "Failures", "DeadLettered", "Signals")],
        ),
        cloudwatch.GraphWidget(
            title="Backlog",
            left=list(_visible(queues).values()),
            right=[_age(queues)],
            right_y_axis=cloudwatch.YAxisProps(label="oldest message (s)"),
        ),
        cloudwatch.SingleValueWidget(title="Time until drained", metrics=[drained]),
    ]


def _tier_widget(quota: QuotaThrottledInvocation, tier: QuotaTier) -> cloudwatch.GraphWidget:
    setting = tier.setting()
    zone = f":{setting['zone_name']}" if "zone_name" in setting else ""
    used = cloudwatch.Metric(
        namespace=_NAMESPACE,
        metric_name="Used",
        dimensions_map={"Quota": quota.node.path, "Tier": f"{tier.start}:{setting['period']}{zone}"},
        statistic="max",
        period=_PERIOD,
    )
    limit = cloudwatch.HorizontalAnnotation(value=tier.limit, label="limit")
    return cloudwatch.GraphWidget(title=f"Used of {tier}", left=[used], left_annotations=[limit])


def _metric(quota: QuotaThrottledInvocation, name: str) -> cloudwatch.Metric:
    dimensions = {"Quota": quota.node.path}
    return cloudwatch.Metric(
        namespace=_NAMESPACE, metric_name=name, dimensions_map=dimensions, statistic="sum", period=_PERIOD
    )


def _visible(queues: QuotaQueues) -> dict[str, cloudwatch.IMetric]:
    return {
        f"lane{number}": lane.metric_approximate_number_of_messages_visible(statistic="max", period=_PERIOD)
        for number, lane in enumerate(queues.backlog)
    }


def _sum(queues: QuotaQueues) -> str:
    return " + ".join(_visible(queues))


def _age(queues: QuotaQueues) -> cloudwatch.MathExpression:
    metrics: dict[str, cloudwatch.IMetric] = {
        f"age{number}": lane.metric_approximate_age_of_oldest_message(statistic="max", period=_PERIOD)
        for number, lane in enumerate(queues.backlog)
    }
    return cloudwatch.MathExpression(
        expression=f"MAX([{', '.join(metrics)}])", using_metrics=metrics, label="oldest message", period=_PERIOD
    )
