"""How a stream is read: by which consumer, from where, beside whom."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, DecoupledInvocation, InvocationSource

from .templates import actions, mapping

KEY = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
IMAGES = {"StreamViewType": "NEW_AND_OLD_IMAGES"}


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
        with pytest.raises(BreakwaterError, match="the stream Stack/Mine is given together with a consumer"):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)

    def test_unknown(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        source = InvocationSource.kinesis(consumer="fast")  # pyrefly: ignore
        with pytest.raises(BreakwaterError, match=r"consumer is 'fast'. Give .*enhanced"):
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
        with pytest.raises(BreakwaterError, match="AT_TIMESTAMP is for Kinesis only"):
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
        annotations.has_no_warning("/Stack/ByF1", Match.string_like_regexp("reader"))
        annotations.has_warning("/Stack/ByF2", Match.string_like_regexp("It is reader 3 of Stack/(Mine|Orders)"))

    def test_enhanced_ones_share_nothing(self, stack: cdk.Stack, functions: list[lambda_.Function]) -> None:
        stream = kinesis.Stream(stack, "Mine", shard_count=1)
        for function in functions:
            source = InvocationSource.kinesis(stream, consumer="enhanced")
            DecoupledInvocation(stack, f"By{function.node.id}", function=function, source=source)
        Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("reader"))
