"""Streams before a function: as parallel as its share allows, and no record that blocks for good or is lost."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DecoupledInvocation, InvocationSource

KEY = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
IMAGES = {"StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    """A share of 16."""
    function = lambda_.Function(stack, "Worker", **code)
    ConnectionBudget(stack, "Budget", max_connections=20).share("worker").limit(function, overlap=False)
    return function


def mapping(stack: cdk.Stack) -> dict[str, Any]:
    (found,) = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping").values()
    return found["Properties"]


def factors(stack: cdk.Stack) -> dict[str, Any]:
    """Return each mapping's factor, or MaximumConcurrency for a queue's, by the invocation's id."""
    found = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping")
    return {
        logical_id.removesuffix(re.findall("Mapping.*", logical_id)[-1]): properties.get(
            "ParallelizationFactor", properties.get("ScalingConfig", {}).get("MaximumConcurrency")
        )
        for logical_id, resource in found.items()
        for properties in (resource["Properties"],)
    }


def actions(stack: cdk.Stack) -> dict[str, set[str]]:
    """Return what each role may do."""
    allowed: dict[str, set[str]] = {}
    for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values():
        (role,) = policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            given = statement["Action"]
            allowed.setdefault(role["Ref"], set()).update([given] if isinstance(given, str) else given)
    return allowed


class TestKinesis:
    def test_nothing_blocks_and_nothing_is_lost(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=4))
        properties = mapping(stack)
        for name, value in {
            "BatchSize": 100,
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
        Annotations.from_stack(stack).has_no_info("*", Match.any_value())

    def test_a_queue_beside_unknown_shards_is_warned_of(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis())
        DecoupledInvocation(stack, "Jobs", function=function)
        Annotations.from_stack(stack).has_info(
            "/Stack/Clicks", Match.string_like_regexp("give the queue a function of its own")
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


class TestConsumer:
    def test_enhanced(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        source = InvocationSource.kinesis(shard_count=2, consumer="enhanced")
        DecoupledInvocation(stack, "Clicks", function=function, source=source)
        ((logical_id, consumer),) = Template.from_stack(stack).find_resources("AWS::Kinesis::StreamConsumer").items()
        assert re.fullmatch("[a-zA-Z0-9_.-]{1,128}", consumer["Properties"]["ConsumerName"])
        assert mapping(stack)["EventSourceArn"] == {"Fn::GetAtt": [logical_id, "ConsumerARN"]}
        assert mapping(stack)["ParallelizationFactor"] == 8
        (allowed,) = actions(stack).values()
        assert "kinesis:SubscribeToShard" in allowed

    def test_made_elsewhere(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        stream = kinesis.Stream(stack, "Mine", shard_count=4)
        consumer = kinesis.StreamConsumer(stack, "Consumer", stream=stream, stream_consumer_name="reader")
        clicks = DecoupledInvocation(
            stack, "Clicks", function=function, source=InvocationSource.kinesis(consumer=consumer)
        )
        assert clicks.stream is stream
        assert mapping(stack)["EventSourceArn"] == stack.resolve(consumer.stream_consumer_arn)
        assert mapping(stack)["ParallelizationFactor"] == 4

    def test_beside_a_stream(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        stream = kinesis.Stream(stack, "Mine", shard_count=4)
        consumer = kinesis.StreamConsumer(stack, "Consumer", stream=stream, stream_consumer_name="reader")
        source = InvocationSource.kinesis(stream, consumer=consumer)
        with pytest.raises(BreakwaterError, match="the stream Stack/Mine is given beside a consumer"):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)

    def test_unknown(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        source = InvocationSource.kinesis(consumer="fast")  # pyrefly: ignore
        with pytest.raises(BreakwaterError, match=r"consumer='fast' is unknown.*enhanced"):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)


class TestStartingPosition:
    def test_an_instant(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        instant = datetime(2026, 11, 24, 8, 30, tzinfo=timezone.utc)
        source = InvocationSource.kinesis(shard_count=1, starting_position_timestamp=instant)
        DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["StartingPosition"] == "AT_TIMESTAMP"
        assert mapping(stack)["StartingPositionTimestamp"] == 1_795_509_000

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"starting_position": lambda_.StartingPosition.AT_TIMESTAMP}, "AT_TIMESTAMP lacks its instant"),
            (
                {
                    "starting_position": lambda_.StartingPosition.LATEST,
                    "starting_position_timestamp": datetime(2026, 1, 1, tzinfo=timezone.utc),
                },
                "LATEST has no instant",
            ),
            ({"starting_position_timestamp": datetime(2026, 1, 1)}, "2026-01-01T00:00:00 has no time zone"),  # noqa: DTZ001
        ],
    )
    def test_half_an_instant(
        self, stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any], message: str
    ) -> None:
        source = InvocationSource.kinesis(shard_count=1, **options)
        with pytest.raises(BreakwaterError, match=f"Stack/Clicks: .*{message}"):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)

    def test_a_table_knows_no_instants(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        table = dynamodb.Table(stack, "Orders", partition_key=KEY)
        source = InvocationSource.dynamodb_stream(table, starting_position=lambda_.StartingPosition.AT_TIMESTAMP)
        with pytest.raises(BreakwaterError, match="AT_TIMESTAMP is Kinesis's alone"):
            DecoupledInvocation(stack, "Changes", function=function, source=source)


class TestReaders:
    @pytest.fixture
    def functions(self, stack: cdk.Stack, code: dict[str, Any]) -> list[lambda_.Function]:
        return [lambda_.Function(stack, f"F{n}", reserved_concurrent_executions=5, **code) for n in range(3)]

    @pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
    def test_a_third_one_is_warned(self, stack: cdk.Stack, functions: list[lambda_.Function], kind: str) -> None:
        stream, table = (
            kinesis.Stream(stack, "Mine", shard_count=1),
            dynamodb.Table(stack, "Orders", partition_key=KEY),
        )
        for function in functions:
            source = InvocationSource.kinesis(stream) if kind == "kinesis" else InvocationSource.dynamodb_stream(table)
            DecoupledInvocation(stack, f"By{function.node.id}", function=function, source=source)
        annotations = Annotations.from_stack(stack)
        annotations.has_no_warning("/Stack/ByF1", Match.any_value())
        annotations.has_warning("/Stack/ByF2", Match.string_like_regexp("It is reader 3 of Stack/(Mine|Orders)"))

    def test_enhanced_ones_share_nothing(self, stack: cdk.Stack, functions: list[lambda_.Function]) -> None:
        stream = kinesis.Stream(stack, "Mine", shard_count=1)
        for function in functions:
            source = InvocationSource.kinesis(stream, consumer="enhanced")
            DecoupledInvocation(stack, f"By{function.node.id}", function=function, source=source)
        Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


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


class TestExistingStream:
    def test_an_imported_one_with_its_shards_told(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/theirs"
        stream = kinesis.Stream.from_stream_arn(stack, "Theirs", arn)
        source = InvocationSource.kinesis(stream, shard_count=4)
        DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["ParallelizationFactor"] == 4

    def test_tells_its_shards_and_retention(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        stream = kinesis.Stream(stack, "Mine", shard_count=5, retention_period=cdk.Duration.days(3))
        clicks = DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(stream))
        assert mapping(stack)["ParallelizationFactor"] == 3
        assert mapping(stack)["MaximumRecordAgeInSeconds"] == 71 * 3600
        assert clicks.stream is stream
        Template.from_stack(stack).resource_count_is("AWS::Kinesis::Stream", 1)

    def test_a_record_age_beyond_what_lambda_allows_is_not_derived(
        self, stack: cdk.Stack, function: lambda_.Function
    ) -> None:
        stream = kinesis.Stream(stack, "Mine", shard_count=1, retention_period=cdk.Duration.days(30))
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(stream))
        assert mapping(stack)["MaximumRecordAgeInSeconds"] == 7 * 24 * 3600

    def test_on_demand(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        stream = kinesis.Stream(stack, "Mine", stream_mode=kinesis.StreamMode.ON_DEMAND)
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(stream))
        assert mapping(stack)["ParallelizationFactor"] == 1
        Annotations.from_stack(stack).has_info("/Stack/Clicks", Match.string_like_regexp("shards is unknown"))

    @pytest.mark.parametrize(("age", "seconds", "hours"), [(None, 23 * 3600, 24), (cdk.Duration.days(3), 259_200, 73)])
    def test_imported(
        self, stack: cdk.Stack, function: lambda_.Function, age: cdk.Duration | None, seconds: int, hours: int
    ) -> None:
        stream = kinesis.Stream.from_stream_arn(
            stack, "Theirs", "arn:aws:kinesis:eu-central-1:123456789012:stream/theirs"
        )
        source = InvocationSource.kinesis(stream, max_record_age=age)
        DecoupledInvocation(stack, "Clicks", function=function, source=source)
        assert mapping(stack)["MaximumRecordAgeInSeconds"] == seconds
        annotations = Annotations.from_stack(stack)
        annotations.has_info("/Stack/Clicks", Match.string_like_regexp("shards is unknown"))
        annotations.has_info("/Stack/Clicks", Match.string_like_regexp(f"Stack/Theirs is imported.*{hours} h or more"))

    def test_record_age_at_the_retention(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        stream = kinesis.Stream(stack, "Mine", shard_count=1)
        source = InvocationSource.kinesis(stream, max_record_age=cdk.Duration.hours(24))
        with pytest.raises(BreakwaterError, match=r"Stack/Clicks: max_record_age=1 day .*Stack/Mine, 24 h.*23 hours"):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)

    def test_shard_count_beside_it(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        source = InvocationSource.kinesis(kinesis.Stream(stack, "Mine"), shard_count=2)
        with pytest.raises(BreakwaterError, match="shard_count=2 is given beside the stream Stack/Mine"):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)


class TestDynamoDb:
    @pytest.mark.parametrize("construct", [dynamodb.Table, dynamodb.TableV2])
    def test_turns_the_stream_on(self, stack: cdk.Stack, function: lambda_.Function, construct: Any) -> None:
        table = construct(stack, "Orders", partition_key=KEY)
        changes = DecoupledInvocation(
            stack, "Changes", function=function, source=InvocationSource.dynamodb_stream(table)
        )
        ((logical_id, resource),) = (
            (logical_id, resource)
            for logical_id, resource in Template.from_stack(stack).to_json()["Resources"].items()
            if resource["Type"].startswith("AWS::DynamoDB::")
        )
        assert resource["Properties"]["StreamSpecification"] == IMAGES
        properties = mapping(stack)
        assert properties["EventSourceArn"] == {"Fn::GetAtt": [logical_id, "StreamArn"]}
        assert properties["ParallelizationFactor"] == 1
        assert properties["MaximumRecordAgeInSeconds"] == 23 * 3600
        assert properties["BisectBatchOnFunctionError"] is True
        assert changes.table is table
        (allowed,) = actions(stack).values()
        assert {"dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"} < allowed
        Annotations.from_stack(stack).has_info("/Stack/Changes", Match.string_like_regexp("shards is unknown"))

    @pytest.mark.parametrize(("construct", "option"), [(dynamodb.Table, "stream"), (dynamodb.TableV2, "dynamo_stream")])
    def test_leaves_a_stream_as_it_is(
        self, stack: cdk.Stack, function: lambda_.Function, construct: Any, option: str
    ) -> None:
        table = construct(stack, "Orders", partition_key=KEY, **{option: dynamodb.StreamViewType.KEYS_ONLY})
        DecoupledInvocation(stack, "Changes", function=function, source=InvocationSource.dynamodb_stream(table))
        resources = Template.from_stack(stack).to_json()["Resources"].values()
        (found,) = (resource for resource in resources if resource["Type"].startswith("AWS::DynamoDB::"))
        assert found["Properties"]["StreamSpecification"] == {"StreamViewType": "KEYS_ONLY"}

    def test_twice_on_one_table(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        table = dynamodb.Table(stack, "Orders", partition_key=KEY)
        for name in ("One", "Two"):
            DecoupledInvocation(stack, name, function=function, source=InvocationSource.dynamodb_stream(table))
        template = Template.from_stack(stack)
        template.has_resource_properties("AWS::DynamoDB::Table", {"StreamSpecification": IMAGES})
        template.resource_count_is("AWS::Lambda::EventSourceMapping", 2)

    def test_a_table_with_a_key_of_its_own(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        table = dynamodb.Table(stack, "Orders", partition_key=KEY, encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED)
        DecoupledInvocation(stack, "Changes", function=function, source=InvocationSource.dynamodb_stream(table))
        (allowed,) = actions(stack).values()
        assert "kms:Decrypt" in allowed

    def test_imported_with_its_stream(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/theirs"
        table = dynamodb.Table.from_table_attributes(
            stack, "Theirs", table_arn=arn, table_stream_arn=f"{arn}/stream/2026-01-01T00:00:00.000"
        )
        DecoupledInvocation(stack, "Changes", function=function, source=InvocationSource.dynamodb_stream(table))
        assert mapping(stack)["EventSourceArn"] == f"{arn}/stream/2026-01-01T00:00:00.000"

    def test_imported_without(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        table = dynamodb.Table.from_table_name(stack, "Theirs", "theirs")
        with pytest.raises(BreakwaterError, match=r"Stack/Changes: Stack/Theirs is imported.*table_stream_arn"):
            DecoupledInvocation(stack, "Changes", function=function, source=InvocationSource.dynamodb_stream(table))

    def test_a_record_age_beyond_the_streams_day(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        table = dynamodb.Table(stack, "Orders", partition_key=KEY)
        source = InvocationSource.dynamodb_stream(table, max_record_age=cdk.Duration.hours(24))
        with pytest.raises(BreakwaterError, match=r"the stream of Stack/Orders, 24 h.*at most 23 hours"):
            DecoupledInvocation(stack, "Changes", function=function, source=source)

    def test_grant_send(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        producer = iam.Role(stack, "Producer", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
        table = dynamodb.Table(stack, "Orders", partition_key=KEY)
        source = InvocationSource.dynamodb_stream(table)
        DecoupledInvocation(stack, "Changes", function=function, source=source).grant_send(producer)
        (allowed,) = (given for role, given in actions(stack).items() if role.startswith("Producer"))
        assert "dynamodb:PutItem" in allowed
        assert "dynamodb:GetItem" not in allowed


class TestMoreShardsThanTheShare:
    def test_a_fixed_share(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Small", **code)
        ConnectionBudget(stack, "Budget", max_connections=20).share("small", concurrency=3).limit(function)
        with pytest.raises(
            BreakwaterError,
            match=r"small: its share is fixed at concurrency=3.*at least 4: Stack/Clicks reads 4 shards.*concurrency=4",
        ):
            DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=4))

    def test_a_reserved_concurrency(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Small", reserved_concurrent_executions=7, **code)
        source = InvocationSource.kinesis(shard_count=4, parallelization_factor=2)
        with pytest.raises(
            BreakwaterError, match=r"Stack/Small: its reserved concurrency is 7.*at least 8.*4 shards, each with 2"
        ):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)

    def test_a_budget_that_cannot_grant_them(self, app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=17))
        with pytest.raises(
            RuntimeError,
            match=r"Stack/Clicks\] 17 shards x parallelization factor 1 = 17 .*share of Stack/Worker .*fewer shards",
        ):
            app.synth()

    def test_a_function_that_reserves_nothing(
        self, app: cdk.App, stack: cdk.Stack, database: Any, vpc: Any, code: dict[str, Any]
    ) -> None:
        from cdk_breakwater import VpcDatabaseFunction

        function = VpcDatabaseFunction(stack, "Free", database=database, vpc=vpc, reserve_concurrency=False, **code)
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis())
        with pytest.raises(RuntimeError, match="reserved concurrency alone can limit"):
            app.synth()


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
