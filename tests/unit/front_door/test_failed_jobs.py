"""How a door learns that a job failed for good."""

from __future__ import annotations

from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template
from aws_cdk.aws_lambda_event_sources import SqsDlq

from cdk_breakwater import BreakwaterError, DecoupledInvocation, InvocationSource

from .doors import open_door, own_queue, policies, text


class TestFailures:
    def test_pass_by_on_their_way_to_the_dead_letter_queue(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        open_door(stack, function)
        template = Template.from_stack(stack)
        queues = template.find_resources("AWS::SQS::Queue")
        (passed,) = (name for name in queues if name.startswith("JobsFailuresQueue"))
        (dead,) = (name for name in queues if name.startswith("JobsDeadLetterQueue"))
        (main,) = (name for name in queues if name.startswith("JobsQueue"))
        redrive = {name: queue["Properties"].get("RedrivePolicy") for name, queue in queues.items()}
        assert redrive == {
            main: {"deadLetterTargetArn": {"Fn::GetAtt": [passed, "Arn"]}, "maxReceiveCount": 5},
            # Five of its own, on top of those that SQS counted before.
            passed: {"deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]}, "maxReceiveCount": 10},
            dead: None,
        }
        assert queues[passed]["Properties"]["VisibilityTimeout"] >= 6 * 10

    def test_in_order_where_the_queue_is(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        open_door(stack, function, "fifo")
        queues = Template.from_stack(stack).find_resources("AWS::SQS::Queue").values()
        assert [queue["Properties"]["FifoQueue"] for queue in queues] == [True] * 3

    @pytest.mark.parametrize("permission", [sqs.RedrivePermission.DENY_ALL, sqs.RedrivePermission.BY_QUEUE])
    def test_that_the_dead_letter_queue_would_not_take(
        self, stack: cdk.Stack, function: lambda_.Function, permission: sqs.RedrivePermission
    ) -> None:
        named = sqs.Queue.from_queue_arn(stack, "Named", "arn:aws:sqs:eu-central-1:123456789012:mine")
        by_queue = permission is sqs.RedrivePermission.BY_QUEUE
        policy = sqs.RedriveAllowPolicy(redrive_permission=permission, source_queues=[named] if by_queue else None)
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=own_queue(stack, policy))
        with pytest.raises(
            BreakwaterError, match=r"redrive_allow_policy of Stack/Dead is (byQueue|denyAll), .*ALLOW_ALL"
        ):
            jobs.add_front_door("Door", path="orders")

    def test_pass_where_every_queue_may(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        policy = sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.ALLOW_ALL)
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=own_queue(stack, policy))
        jobs.add_front_door("Door", path="orders")
        assert jobs.failures_queue is not None

    def test_of_two_queues_could_not_go_back(self, app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=own_queue(stack))
        jobs.add_front_door("Door", path="orders")
        assert jobs.dead_letter_queue is not None
        shared = sqs.DeadLetterQueue(queue=jobs.dead_letter_queue, max_receive_count=5)
        sqs.Queue(stack, "Another", dead_letter_queue=shared)
        with pytest.raises(
            RuntimeError, match=r"\[Stack/Jobs\] Stack/Dead is also the dead-letter queue of Stack/Another"
        ):
            app.synth()

    @pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
    def test_of_a_stream_are_found_in_their_bucket(
        self, stack: cdk.Stack, function: lambda_.Function, kind: str
    ) -> None:
        open_door(stack, function, kind)
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::S3::Bucket",
            {"NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}},
        )
        template.has_resource_properties(
            "AWS::Events::Rule",
            {"EventPattern": {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": Match.any_value()}},
        )

    def test_of_a_stream_with_a_key_can_be_read(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        key = kms.Key(stack, "Key")
        stream = InvocationSource.kinesis(shard_count=1, encryption_key=key)
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=stream)
        jobs.add_front_door("Door", path="orders")
        allowed = policies(Template.from_stack(stack), "JobsFailures")
        assert ("kms:Decrypt", stack.resolve(key.key_arn)) in allowed

    def test_that_nobody_can_see_are_reported(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        imported = sqs.Queue.from_queue_arn(stack, "Imported", "arn:aws:sqs:eu-central-1:123456789012:imported")
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(imported))
        jobs.add_front_door("Door", path="orders")
        Annotations.from_stack(stack).has_warning(
            "/Stack/Jobs", Match.string_like_regexp(r"Stack/Imported is not of this app .* stays 202 until")
        )

    def test_kept_without_their_payload_are_reported(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        on_failure: Any = SqsDlq(sqs.Queue(stack, "Elsewhere"))
        stream = InvocationSource.kinesis(shard_count=1, on_failure=on_failure)
        DecoupledInvocation(stack, "Jobs", function=function, source=stream).add_front_door("Door", path="orders")
        Annotations.from_stack(stack).has_warning(
            "/Stack/Jobs", Match.string_like_regexp(r"on_failure stores no payload that names a job")
        )


def test_a_queue_in_a_stack_of_its_own_and_two_doors(
    app: cdk.App, stack: cdk.Stack, function: lambda_.Function
) -> None:
    queues = cdk.Stack(app, "Queues", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    dead_queue = sqs.Queue(queues, "Dead", retention_period=cdk.Duration.days(14))
    mine = sqs.Queue(
        queues,
        "Mine",
        visibility_timeout=cdk.Duration.minutes(1),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_queue, max_receive_count=5),
    )
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(mine))
    for name in ("First", "Second"):
        jobs.add_front_door(name, path="orders")
    app.synth()
    Template.from_stack(queues).resource_count_is("AWS::SQS::Queue", 3)
    handlers = Template.from_stack(stack).find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "front_door.results.handler"}}
    )
    # Both look into the queue and into the one that its failures pass.
    assert [text(handler).count("Queues:ExportsOutputRef") for handler in handlers.values()] == [2, 2]


@pytest.mark.parametrize(("kept", "before"), [(None, 259_200), (172_800, 86_400), (43_200, 21_600)])
def test_a_failure_does_not_expire_on_its_way(
    stack: cdk.Stack, function: lambda_.Function, kept: int | None, before: int
) -> None:
    dead = sqs.Queue(stack, "Dead")
    minute = cdk.Duration.minutes(1)
    redrive = sqs.DeadLetterQueue(queue=dead, max_receive_count=5)
    mine = sqs.Queue(stack, "Mine", visibility_timeout=minute, retention_period=minute, dead_letter_queue=redrive)
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(mine))
    jobs.add_front_door("Door", path="orders")
    # whoever has the last word; without one, CloudFormation's four days
    cast("sqs.CfnQueue", dead.node.default_child).message_retention_period = kept
    queues = Template.from_stack(stack).find_resources("AWS::SQS::Queue")
    periods = {id_: queue.get("Properties", {}).get("MessageRetentionPeriod") for id_, queue in queues.items()}
    (failures,) = (period for id_, period in periods.items() if "Failures" in id_)
    assert failures == before, periods
