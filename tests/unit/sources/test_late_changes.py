"""What an Aspect or an override makes of a source afterwards is what counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from cdk_breakwater import BreakwaterError, DecoupledInvocation, InvocationSource

LATEST = lambda_.StartingPosition.LATEST
Override = Callable[[str, Any], None]


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    timeout = cdk.Duration.seconds(30)
    return lambda_.Function(stack, "Worker", timeout=timeout, reserved_concurrent_executions=10, **code)


def override(construct: Any) -> Override:
    """Override a property of the template."""
    return cast("cdk.CfnResource", construct.node.default_child).add_property_override


def queue(stack: cdk.Stack) -> sqs.Queue:
    dead = sqs.DeadLetterQueue(
        queue=sqs.Queue(stack, "Dead", retention_period=cdk.Duration.days(14)), max_receive_count=5
    )
    return sqs.Queue(stack, "Orders", visibility_timeout=cdk.Duration.seconds(180), dead_letter_queue=dead)


@pytest.mark.parametrize("own", [True, False], ids=["its own", "existing"])
def test_a_queue_and_its_mapping_are_read_last(
    app: cdk.App, stack: cdk.Stack, function: lambda_.Function, own: bool
) -> None:
    source = InvocationSource.sqs(None if own else queue(stack), expected_duration=cdk.Duration.seconds(3))
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=source)
    override(jobs.queue)("VisibilityTimeout", 10)
    override(jobs.queue)("RedrivePolicy.maxReceiveCount", 1)
    override(jobs.event_source_mapping)("ScalingConfig.MaximumConcurrency", 100)
    override(jobs.event_source_mapping)("BatchSize", 10)
    override(function)("Timeout", 29)
    with pytest.raises(RuntimeError) as raised:
        app.synth()
    for said in (
        "is 10 s in the template, and 6 x the function's timeout plus the batching window are 174 s",
        r"maxReceiveCount of Stack/\w+(/Queue)? is 1 in the template",
        "MaximumConcurrency 100 in the template, and Stack/Worker may run 10 at once",
        "batch_size=10 records of 3 s each take 30 s, and Stack/Worker is ended after 29 s",
    ):
        raised.match(said)


def test_a_mapping_without_its_maximum(app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = DecoupledInvocation(stack, "Jobs", function=function)
    cast("cdk.CfnResource", jobs.event_source_mapping.node.default_child).add_property_deletion_override(
        "ScalingConfig"
    )
    with pytest.raises(RuntimeError, match="its mapping has no MaximumConcurrency in the template"):
        app.synth()


def test_a_stated_exception_holds_at_the_end_too(app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
    orders = queue(stack)
    source = InvocationSource.sqs(orders, acknowledge_visibility_timeout="it is idempotent")
    DecoupledInvocation(stack, "Jobs", function=function, source=source)
    override(orders)("VisibilityTimeout", 10)
    assert app.synth().get_stack_by_name("Stack").template["Resources"]


def test_an_override_that_was_there_before_counts_at_once(stack: cdk.Stack, function: lambda_.Function) -> None:
    orders = queue(stack)
    override(orders)("VisibilityTimeout", 10)
    with pytest.raises(BreakwaterError, match="the visibility timeout of Stack/Orders is 10 s, below"):
        DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(orders))
    stream = kinesis.Stream(stack, "Stream", shard_count=2, retention_period=cdk.Duration.days(7))
    override(stream)("ShardCount", 5)
    override(stream)("RetentionPeriodHours", 24)
    clicks = InvocationSource.kinesis(stream, starting_position=LATEST)
    DecoupledInvocation(stack, "Clicks", function=function, source=clicks)
    (mapping,) = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping").values()
    assert mapping["Properties"]["ParallelizationFactor"] == 2  # of 10
    assert mapping["Properties"]["MaximumRecordAgeInSeconds"] == 23 * 3600


def test_more_shards_have_a_smaller_factor(app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
    clicks = DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=2))
    override(clicks.stream)("ShardCount", 5)
    (mapping,) = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping").values()
    assert mapping["Properties"]["ParallelizationFactor"] == 2  # of 10
    assert stack.resolve(clicks.maximum_concurrency) == 10


@pytest.mark.parametrize(
    ("resource", "name", "value", "said"),
    [
        ("stream", "ShardCount", 20, r"20 shards x parallelization factor 1 = 20 .* grants 10"),
        ("mapping", "ParallelizationFactor", 10, r"2 shards x parallelization factor 10 = 20 .* grants 10"),
        ("mapping", "BatchSize", 100, r"batch_size=100 records of 1 s each take 100 s, .* after 30 s"),
        ("stream", "RetentionPeriodHours", 24, r"keeps records for 24 h, and a record is stored as failed after 47 h"),
    ],
)
def test_a_stream_and_its_mapping_are_read_last(
    app: cdk.App, stack: cdk.Stack, function: lambda_.Function, resource: str, name: str, value: int, said: str
) -> None:
    source = InvocationSource.kinesis(
        shard_count=2, max_record_age=cdk.Duration.hours(47), expected_duration=cdk.Duration.seconds(1)
    )
    clicks = DecoupledInvocation(stack, "Clicks", function=function, source=source)
    override(clicks.stream if resource == "stream" else clicks.event_source_mapping)(name, value)
    with pytest.raises(RuntimeError, match=said):
        app.synth()
