"""A stream of the user's own tells its numbers by itself."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, DecoupledInvocation, InvocationSource

from .templates import mapping


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
        with pytest.raises(BreakwaterError, match="shard_count=2 is given together with the stream Stack/Mine"):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)
