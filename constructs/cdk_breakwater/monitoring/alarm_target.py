"""The action of an alarm: any alarm action, or an SNS topic that CloudWatch is allowed to publish to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Stack

from .._cdk.arguments import ALARM_TARGET, require
from .._cdk.kinds import is_topic
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from typing import TypeAlias

    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_sns as sns
    from constructs import IConstruct

    from .._cdk.parameter_types import AlarmAction, Topic

    AlarmTarget: TypeAlias = AlarmAction | Topic

_MANAGED_KEY = "alias/aws/sns"
_CLOUDWATCH = "cloudwatch.amazonaws.com"


def alarm_action(construct: IConstruct, topic_or_action: AlarmTarget | None) -> cloudwatch.IAlarmAction | None:
    """Turn a topic into an action.

    Parameters
    ----------
    construct
        Whose alarms they are.
    topic_or_action
        A topic, an action, or None.

    Raises
    ------
    BreakwaterError
        When it is neither, or the topic is encrypted with a key that CloudWatch may not use.
    """
    require(construct, {"topic_or_action": topic_or_action}, {"topic_or_action": ALARM_TARGET})
    if topic_or_action is None or not is_topic(topic_or_action):
        return cast("cloudwatch.IAlarmAction | None", topic_or_action)
    from aws_cdk.aws_cloudwatch_actions import SnsAction

    _let_cloudwatch_publish(construct, topic_or_action)
    return cast("cloudwatch.IAlarmAction", SnsAction(topic_or_action))


def _let_cloudwatch_publish(construct: IConstruct, topic: sns.ITopic) -> None:
    from aws_cdk import aws_iam as iam

    key: Any = topic.master_key
    cloudwatch = iam.ServicePrincipal(_CLOUDWATCH)
    # Source: Amazon SNS Developer Guide, "Managing Amazon SNS encryption keys and costs", compatibility between event
    # sources from AWS services and encrypted topics.
    if getattr(key, "alias_name", None) == _MANAGED_KEY:
        raise BreakwaterError(
            construct,
            f"the topic {topic.node.path} is encrypted with {_MANAGED_KEY}, by which no alarm may publish.",
            "Encrypt it with a kms.Key of the app.",
        )
    if key is not None:
        # For alarms of this account, not of any that CloudWatch works for (confused deputy).
        of_this_account = iam.ServicePrincipal(
            _CLOUDWATCH, conditions={"StringEquals": {"aws:SourceAccount": Stack.of(construct).account}}
        )
        key.grant(of_this_account, "kms:Decrypt", "kms:GenerateDataKey*")
    # A topic lets its own account publish, alarms among it, until it has a policy: enforce_ssl alone makes one.
    # Source: Amazon SNS Developer Guide, "Example cases for Amazon SNS access control".
    if topic.node.try_find_child("Policy") is not None:
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[cast("iam.IPrincipal", cloudwatch)],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(construct).account}},
            )
        )
