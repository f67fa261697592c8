"""What the alarms and widgets of all constructs have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration, Names, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from .._cdk.nag import acknowledge, compliance_rules
from ..errors import BreakwaterError
from .alarm_target import alarm_action

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from constructs import IConstruct

    from .alarm_target import AlarmTarget

NAMESPACE = "Breakwater"
"""Of the metrics that the runtime, the dispatcher of a quota, and the filters of access logs write."""

PERIOD = Duration.minutes(1)
"""Lambda, SQS, RDS and API Gateway report once a minute."""

AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD

MAXIMUM_METRICS = 10
"""In the expression of one alarm. Source: Amazon CloudWatch User Guide, "CloudWatch service quotas"."""

# A dashboard has 24 columns: three widgets in a row.
WIDTH = 8
HEIGHT = 6

_ALARMS: dict[IConstruct, list[cloudwatch.Alarm]] = {}


def make_alarms(
    construct: Construct,
    make: Callable[[Construct], Sequence[cloudwatch.Alarm]],
    topic_or_action: AlarmTarget | None,
    *,
    beside: Construct | None = None,
) -> list[cloudwatch.Alarm]:
    """Make the alarms of a construct, once, and let them call somebody.

    Parameters
    ----------
    construct
        Whose alarms they are.
    make
        Makes them in the scope that it is given.
    topic_or_action
        The action of each alarm.
    beside
        A construct whose stack has what the alarms watch, where that is another one. Default: the construct itself.

    Raises
    ------
    BreakwaterError
        When its alarms exist already, or CloudWatch cannot publish to the topic.
    """
    require_no_alarms(construct)
    scope: IConstruct = construct if beside is None else beside
    topic = topic_or_action if isinstance(topic_or_action, Construct) else None
    if topic is not None and _made_later(Stack.of(topic), Stack.of(scope)):
        # The topic's stack may need what the alarms watch; those then stand where they need nothing of it.
        scope = Stack.of(topic)
    if Stack.of(scope) is Stack.of(construct):
        scope = Construct(construct, "Alarms")
    else:
        scope = Construct(cast("Construct", scope), f"{Names.node_unique_id(construct.node)}Alarms")
    return add_actions(construct, make(scope), topic_or_action)


def _made_later(stack: Stack, other: Stack) -> bool:
    """Whether a stack comes after another in the construct tree, and so may refer to it but hardly the other way."""
    for own, others in zip(stack.node.scopes, other.node.scopes, strict=False):
        if own is not others:
            siblings = cast("IConstruct", own.node.scope).node.children
            return siblings.index(own) > siblings.index(others)
    return len(stack.node.scopes) > len(other.node.scopes)  # nested in it


def require_no_alarms(construct: IConstruct) -> None:
    """Refuse to make alarms twice."""
    if construct in _ALARMS:
        raise BreakwaterError(
            construct,
            "alarms() was called before.",
            "Call it once. To add actions, call add_alarm_action on the alarms that it returns.",
        )


def add_actions(
    construct: IConstruct,
    alarms: Sequence[cloudwatch.Alarm],
    topic_or_action: AlarmTarget | None,
) -> list[cloudwatch.Alarm]:
    """Give alarms their action, or acknowledge that they have none yet."""
    action = alarm_action(construct, topic_or_action)
    for alarm in alarms:
        if action is not None:
            alarm.add_alarm_action(action)
        else:
            acknowledge(
                alarm,
                "The console shows the alarm. The app chooses its action, with alarms(topic).",
                *compliance_rules("CloudWatchAlarmAction"),
            )
    return register_alarms(construct, alarms)


def register_alarms(construct: IConstruct, alarms: Sequence[cloudwatch.Alarm]) -> list[cloudwatch.Alarm]:
    """Note whose alarms these are, for the dashboard."""
    _ALARMS[construct] = list(alarms)
    return list(alarms)


def alarms_of(construct: IConstruct) -> list[cloudwatch.Alarm]:
    """Return the alarms made so far."""
    return list(_ALARMS.get(construct, ()))


def make_alarm(
    scope: Construct,
    id: str,
    metric: cloudwatch.IMetric,
    *,
    threshold: float,
    description: str,
    comparison_operator: cloudwatch.ComparisonOperator = AT_LEAST,
    minutes: int = 1,
    of_minutes: int | None = None,
) -> cloudwatch.Alarm:
    """Make one alarm; a minute without data is a quiet one.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    metric
        What it watches.
    threshold
        A number, or a lazy one.
    description
        What it means, and what to do.
    comparison_operator
        Default: at least the threshold.
    minutes, of_minutes
        It speaks after so many minutes; of so many, when those need not follow one another.
    """
    return cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=threshold,
        alarm_description=description,
        comparison_operator=comparison_operator,
        evaluation_periods=of_minutes or minutes,
        datapoints_to_alarm=minutes if of_minutes else None,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )


def graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    *,
    limits: Sequence[tuple[str, float]] = (),
    right: Sequence[cloudwatch.IMetric] = (),
    unit: str = "",
    right_unit: str = "",
) -> cloudwatch.GraphWidget:
    """Draw metrics from zero, with limits as lines across.

    Parameters
    ----------
    title
        The construct's path and what is shown.
    left, right
        Metrics by axis.
    limits
        Labels and values, on the left axis.
    unit, right_unit
        Labels of the axes.
    """
    return cloudwatch.GraphWidget(
        title=title,
        width=WIDTH,
        height=HEIGHT,
        left=list(left),
        right=list(right),
        left_annotations=[cloudwatch.HorizontalAnnotation(label=label, value=value) for label, value in limits],
        left_y_axis=cloudwatch.YAxisProps(min=0, label=unit, show_units=False),
        right_y_axis=cloudwatch.YAxisProps(min=0, label=right_unit, show_units=False) if right else None,
    )
