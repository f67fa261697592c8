"""Kinesis before a function: as parallel as its share allows, and no record that blocks for good or is lost."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DecoupledInvocation, InvocationSource

from .templates import actions, factors, mapping


class TestKinesis:
    def test_nothing_blocks_and_nothing_is_lost(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=4))
        properties = mapping(stack)
        for name, value in {
            "BatchSize": 6,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "MaximumRecordAgeInSeconds": 23 * 3600,
            "MaximumRetryAttempts": 10,
            "ParallelizationFactor": 4,
            "StartingPosition": "TRIM_HORIZON",
        }.items():
            assert properties[name] == value, name
        assert clicks.failure_bucket is not None
        destination = properties["DestinationConfig"]["OnFailure"]["Destination"]
        assert destination == stack.resolve(clicks.failure_bucket.bucket_arn)
        Template.from_stack(stack).has_resource_properties(
            "AWS::Kinesis::Stream",
            {
                "RetentionPeriodHours": 24,
                "ShardCount": 4,
                "StreamEncryption": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
            },
        )
        assert stack.resolve(clicks.maximum_concurrency) == 16
        assert clicks.dead_letter_queue is None

    def test_the_bucket_of_failed_records(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis())
        template = Template.from_stack(stack)
        template.has_resource(
            "AWS::S3::Bucket",
            {
                "DeletionPolicy": "Retain",
                "Properties": {
                    "BucketEncryption": Match.any_value(),
                    "LifecycleConfiguration": {
                        "Rules": [Match.object_like({"ExpirationInDays": 90, "Status": "Enabled"})]
                    },
                    "PublicAccessBlockConfiguration": {
                        "BlockPublicAcls": True,
                        "BlockPublicPolicy": True,
                        "IgnorePublicAcls": True,
                        "RestrictPublicBuckets": True,
                    },
                },
            },
        )
        template.resource_count_is("AWS::S3::BucketPolicy", 1)
        (allowed,) = actions(stack).values()
        assert {action for action in allowed if action.startswith("s3:")} == {"s3:PutObject", "s3:ListBucket"}

    @pytest.mark.parametrize(("shards", "factor"), [(1, 10), (2, 8), (3, 5), (9, 1), (16, 1)])
    def test_the_factor_is_the_largest_within_the_share(
        self, stack: cdk.Stack, function: lambda_.Function, shards: int, factor: int
    ) -> None:
        source = InvocationSource.kinesis(shard_count=shards)
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["ParallelizationFactor"] == factor
        assert stack.resolve(clicks.maximum_concurrency) == shards * factor <= 16

    def test_sources_on_one_function_divide_its_share(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        DecoupledInvocation(stack, "Wide", function=function, source=InvocationSource.kinesis(shard_count=10))
        DecoupledInvocation(stack, "Narrow", function=function, source=InvocationSource.kinesis(shard_count=1))
        DecoupledInvocation(stack, "Jobs", function=function)
        # 16 = 10 that the wide one needs + 3 + 3
        assert factors(stack) == {"Wide": 1, "Narrow": 3, "Jobs": 3}

    def test_one_shard_is_content_with_a_share_of_one(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Small", reserved_concurrent_executions=1, **code)
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=1))
        assert mapping(stack)["ParallelizationFactor"] == 1

    def test_a_factor_of_the_users_own(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        source = InvocationSource.kinesis(shard_count=3, parallelization_factor=2)
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["ParallelizationFactor"] == 2
        assert stack.resolve(clicks.maximum_concurrency) == 6

    def test_a_light_share_grows_to_its_shards(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        budget = ConnectionBudget(stack, "Budget", max_connections=20)
        function = lambda_.Function(stack, "Light", **code)
        budget.share("light", weight=0.001).limit(function, overlap=False)
        budget.share("heavy")
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=5))
        assert mapping(stack)["ParallelizationFactor"] == 1
        Template.from_stack(stack).has_resource_properties("AWS::Lambda::Function", {"ReservedConcurrentExecutions": 5})

    def test_on_demand_relies_on_reserved_concurrency(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis())
        assert mapping(stack)["ParallelizationFactor"] == 1
        assert stack.resolve(clicks.maximum_concurrency) == 16
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::Kinesis::Stream", {"ShardCount": Match.absent(), "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
        )
        Annotations.from_stack(stack).has_info(
            "/Stack/Clicks", Match.string_like_regexp(r"number of shards is unknown.*reserved concurrency \(16\)")
        )

    def test_known_shards_need_no_word(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=2))
        Annotations.from_stack(stack).has_no_info("*", Match.string_like_regexp("shards"))

    @pytest.mark.parametrize(
        ("options", "size"),
        [
            ({}, 6),
            ({"retry_attempts": 3}, 3),
            ({"retry_attempts": 0}, 1),
            ({"retry_attempts": 500}, 6),
            ({"batch_size": 200}, 200),
            ({"expected_duration": cdk.Duration.millis(125)}, 8),  # 3 x 8 x 0.125 s in 3 s
            ({"expected_duration": cdk.Duration.millis(1)}, 100),
            ({"expected_duration": cdk.Duration.seconds(2)}, 1),
        ],
    )
    def test_a_batch_is_done_before_its_retries_are_spent(
        self, stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any], size: int
    ) -> None:
        source = InvocationSource.kinesis(shard_count=2, **options)
        DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["BatchSize"] == size
        told = options.keys() & {"batch_size", "expected_duration"}
        expected = Match.string_like_regexp(f"BatchSize is {size}: .*expected_duration")
        (Annotations.from_stack(stack).has_no_info if told else Annotations.from_stack(stack).has_info)(
            "/Stack/Clicks", expected
        )

    def test_a_queue_beside_unknown_shards_is_warned_of(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis())
        DecoupledInvocation(stack, "Jobs", function=function)
        Annotations.from_stack(stack).has_info(
            "/Stack/Clicks", Match.string_like_regexp("Give the queue a function of its own")
        )

    def test_a_tumbling_window_is_read_in_order(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        source = InvocationSource.kinesis(shard_count=2, tumbling_window=cdk.Duration.seconds(30))
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["ParallelizationFactor"] == 1
        assert stack.resolve(clicks.maximum_concurrency) == 2

    def test_the_retention_follows_the_record_age(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        source = InvocationSource.kinesis(shard_count=1, max_record_age=cdk.Duration.minutes(48 * 60 + 30))
        DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["MaximumRecordAgeInSeconds"] == (48 * 60 + 30) * 60
        Template.from_stack(stack).has_resource_properties("AWS::Kinesis::Stream", {"RetentionPeriodHours": 50})

    def test_what_is_passed_on(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        bucket = s3.Bucket(stack, "Mine")
        source = InvocationSource.kinesis(
            shard_count=1,
            batch_size=7,
            max_batching_window=cdk.Duration.seconds(5),
            starting_position=lambda_.StartingPosition.LATEST,
            tumbling_window=cdk.Duration.seconds(30),
            retry_attempts=3,
            filters=[lambda_.FilterCriteria.filter({"partitionKey": lambda_.FilterRule.is_equal("a")})],
            filter_encryption=kms.Key(stack, "Key"),
            on_failure=event_sources.S3OnFailureDestination(bucket),
        )
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=source)
        properties = mapping(stack)
        assert properties["BatchSize"] == 7
        assert properties["MaximumBatchingWindowInSeconds"] == 5
        assert properties["StartingPosition"] == "LATEST"
        assert properties["TumblingWindowInSeconds"] == 30
        assert properties["MaximumRetryAttempts"] == 3
        assert properties["FilterCriteria"] == {"Filters": [{"Pattern": '{"partitionKey":["a"]}'}]}
        assert "KmsKeyArn" in properties
        assert properties["DestinationConfig"]["OnFailure"]["Destination"] == stack.resolve(bucket.bucket_arn)
        assert clicks.failure_bucket is None
        Template.from_stack(stack).resource_count_is("AWS::S3::Bucket", 1)

    def test_a_queue_for_failures(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        dead = sqs.Queue(stack, "Dead")
        source = InvocationSource.kinesis(shard_count=1, on_failure=event_sources.SqsDlq(dead))
        DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["DestinationConfig"]["OnFailure"]["Destination"] == stack.resolve(dead.queue_arn)

    def test_grant_send(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        producer = iam.Role(stack, "Producer", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=1))
        clicks.grant_send(producer)
        (allowed,) = (given for role, given in actions(stack).items() if role.startswith("Producer"))
        assert allowed == {"kinesis:ListShards", "kinesis:PutRecord", "kinesis:PutRecords"}


def test_a_key_for_the_stream_and_its_failed_records(stack: cdk.Stack, function: lambda_.Function) -> None:
    key = kms.Key(stack, "Key")
    source = InvocationSource.kinesis(shard_count=1, encryption_key=key)
    DecoupledInvocation(stack, "Clicks", function=function, source=source)
    template = Template.from_stack(stack)
    arn = stack.resolve(key.key_arn)
    template.has_resource_properties("AWS::Kinesis::Stream", {"StreamEncryption": {"KeyId": arn}})
    template.has_resource_properties(
        "AWS::S3::Bucket",
        {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"KMSMasterKeyID": arn, "SSEAlgorithm": "aws:kms"}}
                ]
            }
        },
    )
    (allowed,) = actions(stack).values()
    assert {"kms:Decrypt", "kms:GenerateDataKey*"} <= allowed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard_count": 0}, r"shard_count must be a whole number of at least 1 \(given 0\)"),
        ({"batch_size": 0}, r"batch_size must be a whole number of at least 1 \(given 0\)"),
        ({"batch_size": 10_001}, r"batch_size must be 1 to 10000 \(given 10001\)"),
        ({"parallelization_factor": 11}, r"parallelization_factor must be 1 to 10 \(given 11\)"),
        ({"retry_attempts": -1}, r"retry_attempts must be a whole number of at least 0 \(given -1\)"),
        ({"retry_attempts": 10_001}, r"retry_attempts must be 0 to 10000 \(given 10001\)"),
        ({"max_batching_window": cdk.Duration.seconds(301)}, r"max_batching_window in seconds must be 0 to 300"),
        (
            {"max_record_age": cdk.Duration.millis(60_500)},
            r"max_record_age is 1 minute 500 millis\. Give a Duration of whole",
        ),
        (
            {"tumbling_window": cdk.Duration.millis(1_500)},
            r"tumbling_window is 1 second 500 millis\. Give a Duration of whole",
        ),
        ({"tumbling_window": cdk.Duration.seconds(901)}, r"tumbling_window in seconds must be 1 to 900"),
        ({"max_record_age": cdk.Duration.seconds(59)}, r"max_record_age in seconds must be .* at least 60"),
        ({"max_record_age": cdk.Duration.days(8)}, r"max_record_age in seconds must be 60 to 604800 \(given 691200\)"),
    ],
)
def test_numbers_out_of_range(
    stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BreakwaterError, match=f"Stack/Clicks: {message}"):
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(**options))
