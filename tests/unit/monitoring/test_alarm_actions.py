"""Whom alarms call: topics that let CloudWatch in, actions, nobody."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DecoupledInvocation,
    QuotaThrottledInvocation,
    QuotaTier,
    ThrottledApi,
)

from .templates import alarms


@pytest.fixture
def constructs(stack: cdk.Stack, code: dict[str, Any]) -> list[Any]:
    function = lambda_.Function(stack, "Worker", **code)
    budget = ConnectionBudget(stack, "Budget", max_connections=20)
    budget.share("worker").limit(function, overlap=False)
    return [
        budget,
        DecoupledInvocation(stack, "Jobs", function=function),
        ThrottledApi(stack, "Api", function=function, rate_limit=5),
        QuotaThrottledInvocation(
            stack, "Quota", function=function, tiers=[QuotaTier(limit=10, period=cdk.Duration.seconds(1))]
        ),
    ]


def test_every_alarm_calls_an_encrypted_topic_that_lets_it_in(stack: cdk.Stack, constructs: list[Any]) -> None:
    key = kms.Key(stack, "Key", enable_key_rotation=True)
    topic = sns.Topic(stack, "Pager", master_key=key, enforce_ssl=True)
    for construct in constructs:
        construct.alarms(topic)
    found = alarms(stack)
    assert len(found) == 1 + 4 + 2 + 4
    assert all(alarm["AlarmActions"] == [stack.resolve(topic.topic_arn)] for alarm in found.values())
    template = Template.from_stack(stack)
    statement = {"Principal": {"Service": "cloudwatch.amazonaws.com"}, "Effect": "Allow"}
    (policy,) = template.find_resources("AWS::SNS::TopicPolicy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    assert len(statements) == 2  # no plain text, and one for all alarms
    template.has_resource_properties(
        "AWS::SNS::TopicPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                **statement,
                                "Action": "sns:Publish",
                                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
                            }
                        )
                    ]
                )
            }
        },
    )
    template.has_resource_properties(
        "AWS::KMS::Key",
        {
            "KeyPolicy": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                **statement,
                                "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
                            }
                        )
                    ]
                )
            }
        },
    )


def test_a_topic_without_a_policy_gets_none(stack: cdk.Stack, constructs: list[Any]) -> None:
    constructs[0].alarms(sns.Topic(stack, "Pager"))
    Template.from_stack(stack).resource_count_is("AWS::SNS::TopicPolicy", 0)


def test_an_action_and_an_imported_topic(stack: cdk.Stack, constructs: list[Any]) -> None:
    arn = "arn:aws:sns:eu-central-1:123456789012:pager"
    topic = sns.Topic.from_topic_arn(stack, "Pager", arn)
    budget, jobs, _, quota = constructs
    budget.alarms(cloudwatch_actions.SnsAction(topic))
    jobs.alarms(topic)
    quota.alarms(topic_or_action=topic)
    assert all(alarm["AlarmActions"] == [arn] for alarm in alarms(stack).values())


def test_the_managed_key_of_sns_is_refused(stack: cdk.Stack, constructs: list[Any]) -> None:
    alias: Any = kms.Alias.from_alias_name(stack, "Alias", "alias/aws/sns")
    topic = sns.Topic(stack, "Pager", master_key=alias)
    with pytest.raises(
        BreakwaterError, match="Stack/Pager is encrypted with alias/aws/sns, by which no alarm may publish"
    ):
        constructs[0].alarms(topic)


@pytest.mark.parametrize("number", range(4))
def test_alarms_twice_is_an_error(constructs: list[Any], number: int) -> None:
    constructs[number].alarms()
    with pytest.raises(BreakwaterError, match="was called before"):
        constructs[number].alarms()


def test_the_signature_is_the_same_everywhere(constructs: list[Any]) -> None:
    for construct in constructs:
        assert isinstance(construct.alarms(), list)
        assert all(hasattr(widget, "to_json") for widget in construct.widgets())


def test_a_quota_of_many_lanes_has_an_alarm_for_ten_lanes_each(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = lambda_.Function(stack, "Caller", **code)
    tiers = [QuotaTier(limit=10, period=cdk.Duration.seconds(1))]
    QuotaThrottledInvocation(stack, "Quota", function=function, tiers=tiers, lanes=12, priority=True).alarms()
    found = {path: alarm for path, alarm in alarms(stack).items() if "Age" in path}
    watched = {path: sum("MetricStat" in query for query in alarm["Metrics"]) for path, alarm in found.items()}
    assert watched == {"Quota/AgeAlarm": 10, "Quota/AgeAlarm10": 5}
