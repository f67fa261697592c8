"""A queue before a function: nothing lost, nothing throttled into the dead-letter queue."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DecoupledInvocation, InvocationSource


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    """Timeout 40 s, share of 16."""
    function = lambda_.Function(stack, "Worker", timeout=cdk.Duration.seconds(40), **code)
    ConnectionBudget(stack, "Budget", max_connections=20).share("worker").limit(function, overlap=False)
    return function


def queues(template: Template) -> dict[str, dict[str, Any]]:
    return {
        "dead" if "Dead" in logical_id else "main": queue["Properties"]
        for logical_id, queue in template.find_resources("AWS::SQS::Queue").items()
    }


def test_every_limit_follows_from_the_function(stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs())
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Lambda::EventSourceMapping",
        {
            "BatchSize": 1,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 16},
        },
    )
    template.has_resource_properties("AWS::Lambda::Function", {"ReservedConcurrentExecutions": 16})
    found = queues(template)
    assert found["main"]["VisibilityTimeout"] == 240
    assert found["main"]["RedrivePolicy"]["maxReceiveCount"] == 5
    assert found["dead"]["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert found["main"]["SqsManagedSseEnabled"] is found["dead"]["SqsManagedSseEnabled"] is True
    template.resource_count_is("AWS::SQS::QueuePolicy", 2)  # both refuse plain text
    assert stack.resolve(jobs.maximum_concurrency) == 16
    assert jobs.queue is not jobs.dead_letter_queue
    assert jobs.event_source_mapping.node.path == "Stack/Jobs/Mapping"


def test_the_source_is_a_queue_by_default(stack: cdk.Stack, function: lambda_.Function) -> None:
    DecoupledInvocation(stack, "Jobs", function=function)
    Template.from_stack(stack).resource_count_is("AWS::SQS::Queue", 2)


def test_the_window_widens_the_visibility_timeout(stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.sqs(batch_size=500, max_batching_window=cdk.Duration.seconds(60), max_receive_count=9)
    DecoupledInvocation(stack, "Jobs", function=function, source=source)
    template = Template.from_stack(stack)
    assert queues(template)["main"]["VisibilityTimeout"] == 6 * 40 + 60
    assert queues(template)["main"]["RedrivePolicy"]["maxReceiveCount"] == 9
    template.has_resource_properties(
        "AWS::Lambda::EventSourceMapping", {"BatchSize": 500, "MaximumBatchingWindowInSeconds": 60}
    )


def test_fifo(stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.sqs(fifo=True, content_based_deduplication=True)
    DecoupledInvocation(stack, "Jobs", function=function, source=source)
    found = queues(Template.from_stack(stack))
    assert found["main"]["FifoQueue"] is found["dead"]["FifoQueue"] is True
    assert found["main"]["ContentBasedDeduplication"] is True


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, 1),
        ({"batch_size": 7}, 7),
        ({"expected_duration": cdk.Duration.seconds(41)}, None),
        ({"expected_duration": cdk.Duration.seconds(20)}, 1),
        ({"expected_duration": cdk.Duration.seconds(4)}, 3),  # 3 x 3 x 4 s in 40 s
        ({"expected_duration": cdk.Duration.millis(10)}, 10),
        ({"expected_duration": cdk.Duration.millis(10), "max_batching_window": cdk.Duration.seconds(5)}, 1_333),
        ({"expected_duration": cdk.Duration.millis(10), "fifo": True}, 1),
        ({"expected_duration": cdk.Duration.seconds(10), "batch_size": 4}, 4),
        ({"expected_duration": cdk.Duration.seconds(10), "batch_size": 5}, None),
        ({"fifo": True}, 1),
        ({"fifo": True, "batch_size": 10}, 10),
    ],
)
def test_a_batch_fits_the_timeout(
    stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any], size: int | None
) -> None:
    source = InvocationSource.sqs(**options)
    if size is None:
        with pytest.raises(BreakwaterError, match=r"Stack/Jobs: .*Stack/Worker is ended after 40 s"):
            DecoupledInvocation(stack, "Jobs", function=function, source=source)
        return
    DecoupledInvocation(stack, "Jobs", function=function, source=source)
    Template.from_stack(stack).has_resource_properties("AWS::Lambda::EventSourceMapping", {"BatchSize": size})


def test_a_batch_of_one_is_said_with_its_remedy(stack: cdk.Stack, function: lambda_.Function) -> None:
    DecoupledInvocation(stack, "Jobs", function=function)
    window = cdk.Duration.seconds(5)
    DecoupledInvocation(stack, "Late", function=function, source=InvocationSource.sqs(max_batching_window=window))
    told = InvocationSource.sqs(expected_duration=cdk.Duration.seconds(1))
    DecoupledInvocation(stack, "Told", function=function, source=told)
    annotations = Annotations.from_stack(stack)
    annotations.has_info("/Stack/Jobs", Match.string_like_regexp("BatchSize is 1: .*expected_duration"))
    annotations.has_warning("/Stack/Late", Match.string_like_regexp("max_batching_window=5 s has no effect"))
    annotations.has_no_info("/Stack/Told", Match.string_like_regexp("BatchSize"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 10}, "batch_size=10 is given, but it is not known .* counts as tried.* which then is 1"),
        ({"batch_size": 10, "expected_duration": cdk.Duration.seconds(4)}, "40 s on average, .*; 3 at once"),
        ({"batch_size": 10, "expected_duration": cdk.Duration.seconds(2)}, None),
        ({"batch_size": 1}, None),
    ],
)
def test_a_batch_whose_messages_may_be_given_up_untried_is_warned_of(
    stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any], said: str | None
) -> None:
    DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(**options))
    warnings = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp(said or "batch_size"))
    assert bool(warnings) is (said is not None)


def test_the_alarm_on_the_dead_letter_queue(stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = DecoupledInvocation(stack, "Jobs", function=function)
    assert jobs.dead_letter_alarm is not None
    dead: Any = jobs.dead_letter_queue
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "AlarmActions": Match.absent(),
            "AlarmDescription": Match.string_like_regexp("breakwater redrive Stack --construct Stack/Jobs$"),
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Dimensions": [{"Name": "QueueName", "Value": stack.resolve(dead.queue_name)}],
            "EvaluationPeriods": 1,
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Namespace": "AWS/SQS",
            "Period": 60,
            "Statistic": "Maximum",
            "Threshold": 1,
            "TreatMissingData": "notBreaching",
        },
    )


def test_no_alarm_where_none_is_wanted(stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.sqs(dead_letter_alarm=False)
    assert DecoupledInvocation(stack, "Jobs", function=function, source=source).dead_letter_alarm is None
    Template.from_stack(stack).resource_count_is("AWS::CloudWatch::Alarm", 0)


def test_what_is_passed_on(stack: cdk.Stack, function: lambda_.Function) -> None:
    key, filter_key = kms.Key(stack, "Key"), kms.Key(stack, "FilterKey")
    source = InvocationSource.sqs(
        encryption_key=key,
        filters=[lambda_.FilterCriteria.filter({"body": {"kind": lambda_.FilterRule.is_equal("order")}})],
        filter_encryption=filter_key,
    )
    DecoupledInvocation(stack, "Jobs", function=function, source=source)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Lambda::EventSourceMapping",
        {
            "FilterCriteria": {"Filters": [{"Pattern": '{"body":{"kind":["order"]}}'}]},
            "KmsKeyArn": stack.resolve(filter_key.key_arn),
        },
    )
    assert [queue["KmsMasterKeyId"] for queue in queues(template).values()] == [stack.resolve(key.key_arn)] * 2


def test_invocations_on_one_function_divide_its_share(stack: cdk.Stack, function: lambda_.Function) -> None:
    for name in ("One", "Two", "Three"):
        DecoupledInvocation(stack, name, function=function)
    mappings = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping").values()
    granted = sorted(mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"] for mapping in mappings)
    assert granted == [5, 5, 6]


def test_a_light_share_still_gets_what_the_mapping_needs(stack: cdk.Stack, code: dict[str, Any]) -> None:
    budget = ConnectionBudget(stack, "Budget", max_connections=20)
    function = lambda_.Function(stack, "Light", **code)
    budget.share("light", weight=0.001).limit(function, overlap=False)
    budget.share("heavy")
    DecoupledInvocation(stack, "Jobs", function=function)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventSourceMapping", {"ScalingConfig": {"MaximumConcurrency": 2}}
    )


def test_reserved_concurrency_of_the_users_own_serves_too(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = lambda_.Function(stack, "Plain", reserved_concurrent_executions=7, **code)
    DecoupledInvocation(stack, "Jobs", function=function)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventSourceMapping", {"ScalingConfig": {"MaximumConcurrency": 7}}
    )


@pytest.mark.parametrize("context", [{"account_concurrency": 5000}])
def test_more_than_sqs_allows_is_cut_with_a_word(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = lambda_.Function(stack, "Large", **code)
    ConnectionBudget(stack, "Budget", max_connections=2000, utilization=1).share("w").limit(function, overlap=False)
    DecoupledInvocation(stack, "Jobs", function=function)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventSourceMapping", {"ScalingConfig": {"MaximumConcurrency": 1000}}
    )
    Annotations.from_stack(stack).has_info(
        "/Stack/Jobs", Match.string_like_regexp("MaximumConcurrency is 1000, the most")
    )


@pytest.mark.parametrize("source", [InvocationSource.sqs(), InvocationSource.kinesis(shard_count=2)])
def test_a_function_of_another_stack(
    app: cdk.App, stack: cdk.Stack, function: lambda_.Function, source: InvocationSource
) -> None:
    other = cdk.Stack(app, "Other", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    jobs = DecoupledInvocation(other, "Jobs", function=function, source=source)
    producer = iam.Role(other, "Producer", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    jobs.grant_send(producer)
    app.synth()  # a cycle would fail here
    Template.from_stack(stack).resource_count_is("AWS::Lambda::EventSourceMapping", 1)
    Template.from_stack(other).resource_count_is("AWS::Lambda::EventSourceMapping", 0)


def test_a_share_passed_as_the_reserved_concurrency(stack: cdk.Stack, code: dict[str, Any]) -> None:
    share = ConnectionBudget(stack, "Budget", max_connections=20).share("worker")
    function = lambda_.Function(stack, "Own", reserved_concurrent_executions=share.concurrency, **code)
    DecoupledInvocation(stack, "Jobs", function=function)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventSourceMapping", {"ScalingConfig": {"MaximumConcurrency": 16}}
    )


def test_grant_send(stack: cdk.Stack, function: lambda_.Function) -> None:
    producer = iam.Role(stack, "Producer", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    DecoupledInvocation(stack, "Jobs", function=function).grant_send(producer)
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": [Match.object_like({"Action": Match.array_with(["sqs:SendMessage"]), "Effect": "Allow"})]
            },
            "Roles": [{"Ref": Match.string_like_regexp("^Producer")}],
        },
    )


class TestErrors:
    def test_nothing_limits_the_function(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/Jobs: nothing limits Stack/Plain.*Use VpcDatabaseFunction"):
            DecoupledInvocation(stack, "Jobs", function=lambda_.Function(stack, "Plain", **code))

    def test_a_fixed_share_below_two(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Small", **code)
        ConnectionBudget(stack, "Budget", max_connections=20).share("small", concurrency=1).limit(function)
        with pytest.raises(
            BreakwaterError, match=r"small: its share is fixed at concurrency=1.*at least 2.*concurrency=2"
        ):
            DecoupledInvocation(stack, "Jobs", function=function)

    def test_a_reserved_concurrency_below_two(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Small", reserved_concurrent_executions=1, **code)
        with pytest.raises(BreakwaterError, match=r"Stack/Small: its reserved concurrency is 1.*at least 2"):
            DecoupledInvocation(stack, "Jobs", function=function)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"batch_size": 0}, r"batch_size must be a whole number of at least 1 \(given 0\)"),
            (
                {"batch_size": cdk.Token.as_number({"Ref": "Size"})},
                r"batch_size is a token \(given .*Give a plain number",
            ),
            ({"batch_size": 11}, r"batch_size must be 1 to 10 \(given 11\).*max_batching_window"),
            ({"max_receive_count": 4}, r"max_receive_count must be 5 to 1000 \(given 4\)"),
            ({"max_receive_count": 1001}, r"max_receive_count must be 5 to 1000 \(given 1001\)"),
            ({"max_batching_window": cdk.Duration.seconds(301)}, r"max_batching_window=301 s is not possible"),
            (
                {"max_batching_window": cdk.Duration.millis(500)},
                r"max_batching_window is 500 millis\. Give a Duration of whole seconds",
            ),
            (
                {"max_batching_window": cdk.Duration.seconds(cdk.Token.as_number({"Ref": "Window"}))},
                r"max_batching_window is a token\. Give a Duration of whole seconds that is known at synth",
            ),
            (
                {"fifo": True, "max_batching_window": cdk.Duration.seconds(1)},
                r"max_batching_window=1 s .*a FIFO queue has none",
            ),
        ],
    )
    def test_numbers_out_of_range(
        self, stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(BreakwaterError, match=f"Stack/Jobs: {message}"):
            DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(**options))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"content_based_deduplication": True}, "content_based_deduplication needs fifo=True"),
            (
                {"acknowledge_dead_letter_queue": "legacy"},
                "acknowledge_dead_letter_queue has no effect here.*breaks no",
            ),
        ],
    )
    def test_options_without_effect(
        self, stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(BreakwaterError, match=f"Stack/Jobs: {message}"):
            DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(**options))

    def test_a_timeout_that_is_known_only_at_deployment(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        timeout = cdk.Duration.seconds(cdk.Token.as_number({"Ref": "Timeout"}))
        function = lambda_.Function(stack, "Late", reserved_concurrent_executions=5, timeout=timeout, **code)
        with pytest.raises(BreakwaterError, match=r"Stack/Jobs: the timeout of Stack/Late is a token.*plain Duration"):
            DecoupledInvocation(stack, "Jobs", function=function)

    def test_a_key_without_filters(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        for name, make in (("Queue", InvocationSource.sqs), ("Stream", InvocationSource.kinesis)):
            source = make(filter_encryption=kms.Key(stack, f"{name}Key"))
            with pytest.raises(BreakwaterError, match=f"Stack/{name}: filter_encryption is given without filters"):
                DecoupledInvocation(stack, name, function=function, source=source)
