"""The stream of a table before a function."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, DecoupledInvocation, InvocationSource

from .templates import actions, mapping

KEY = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
IMAGES = {"StreamViewType": "NEW_AND_OLD_IMAGES"}


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

    @pytest.mark.parametrize("construct", [dynamodb.Table, dynamodb.TableV2])
    def test_twice_on_one_table(self, stack: cdk.Stack, code: dict[str, Any], construct: Any) -> None:
        table = construct(stack, "Orders", partition_key=KEY)
        for name in ("One", "Two"):
            reader = lambda_.Function(stack, f"{name}Reader", reserved_concurrent_executions=2, **code)
            DecoupledInvocation(stack, name, function=reader, source=InvocationSource.dynamodb_stream(table))
        # Its stream is new to both.
        Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("begins at TRIM_HORIZON"))
        template = Template.from_stack(stack)
        template.has_resource_properties(table.node.default_child.cfn_resource_type, {"StreamSpecification": IMAGES})
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
