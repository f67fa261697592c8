from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater.checks.rules.stream_readers import RULE

from .stacks import function

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Findings

KEY = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/theirs"


def stream(stack: Stack) -> str:
    return kinesis.Stream(stack, "Stream").stream_arn


def table(stack: Stack) -> str:
    made = dynamodb.Table(stack, "Table", partition_key=KEY, stream=dynamodb.StreamViewType.NEW_IMAGE)
    return str(made.table_stream_arn)


def global_table(stack: Stack) -> str:
    made = dynamodb.TableV2(stack, "Table", partition_key=KEY, dynamo_stream=dynamodb.StreamViewType.NEW_IMAGE)
    return str(made.table_stream_arn)


def imported(stack: Stack) -> str:
    return ARN


def consumer(stack: Stack) -> str:
    made = kinesis.Stream(stack, "Stream")
    return kinesis.StreamConsumer(stack, "C", stream=made, stream_consumer_name="c").stream_consumer_arn


def imported_consumer(stack: Stack) -> str:
    return f"{ARN}/consumer/reader:1"


def read(stack: Stack, arn: str, readers: int, **options: Any) -> None:
    for number in range(readers):
        lambda_.EventSourceMapping(
            stack,
            f"Mapping{number}",
            target=function(stack, f"Reader{number}"),
            event_source_arn=arn,
            starting_position=lambda_.StartingPosition.LATEST,
            **options,
        )


@pytest.mark.parametrize("source", [stream, table, global_table, imported])
def test_a_third_reader(source: Callable[[Stack], str], findings: Findings) -> None:
    assert findings(RULE, lambda stack: read(stack, source(stack), 2)) == []
    (finding,) = findings(RULE, lambda stack: read(stack, source(stack), 3))
    assert finding.problem.endswith(
        " has 3 readers, and its shards serve 2: Stack0/Reader0, Stack0/Reader1, Stack0/Reader2."
    )
    assert finding.resource.name == "Stack0/Mapping2"
    assert finding.location == "Properties.EventSourceArn"


@pytest.mark.parametrize("source", [consumer, imported_consumer])
def test_consumers_have_a_throughput_of_their_own(source: Callable[[Stack], str], findings: Findings) -> None:
    assert findings(RULE, lambda stack: read(stack, source(stack), 3)) == []


def test_a_mapping_that_rests(findings: Findings) -> None:
    assert findings(RULE, lambda stack: read(stack, stream(stack), 3, enabled=False)) == []


def test_replication_reads_too(findings: Findings) -> None:
    def build(stack: Stack) -> None:
        replicated = dynamodb.CfnGlobalTable(
            stack,
            "Table",
            attribute_definitions=[{"attributeName": "id", "attributeType": "S"}],
            key_schema=[{"attributeName": "id", "keyType": "HASH"}],
            billing_mode="PAY_PER_REQUEST",
            replicas=[{"region": "eu-west-1"}, {"region": "us-east-1"}],
            stream_specification={"streamViewType": "NEW_IMAGE"},
        )
        read(stack, replicated.attr_stream_arn, 2)

    (finding,) = findings(RULE, build)
    assert finding.problem == "Stack0/Table has 2 readers, and its shards serve 1: Stack0/Reader0, Stack0/Reader1."
