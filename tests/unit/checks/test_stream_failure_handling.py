from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import DynamoEventSource, KinesisEventSource, SqsDlq

from cdk_breakwater.checks.rules.batch_item_failures import RULE as BATCH_ITEM_FAILURES
from cdk_breakwater.checks.rules.stream_failure_handling import RULE

from .stacks import function

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Findings


def reads_kinesis(stack: Stack, **source: Any) -> None:
    stream = kinesis.Stream(stack, "Stream")
    start = lambda_.StartingPosition.TRIM_HORIZON
    function(stack).add_event_source(KinesisEventSource(stream, starting_position=start, **source))


def reads_dynamodb(stack: Stack, **source: Any) -> None:
    key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
    table = dynamodb.Table(stack, "Table", partition_key=key, stream=dynamodb.StreamViewType.NEW_IMAGE)
    start = lambda_.StartingPosition.LATEST
    function(stack).add_event_source(DynamoEventSource(table, starting_position=start, **source))


def reads_by_arn(stack: Stack, **source: Any) -> None:
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/theirs"
    start = lambda_.StartingPosition.LATEST
    source["on_failure"] = source.pop("on_failure", None)
    function(stack).add_event_source_mapping("Mapping", event_source_arn=arn, starting_position=start, **source)


STREAMS = [reads_kinesis, reads_dynamodb, reads_by_arn]


@pytest.mark.parametrize("reads", STREAMS)
def test_the_defaults(reads: Callable[..., None], findings: Findings) -> None:
    assert [finding.problem for finding in findings(RULE, reads)] == [
        "The stream of Stack0/Function retries a failing batch until its records expire, and has no destination for "
        "records that failed."
    ]
    (finding,) = findings(BATCH_ITEM_FAILURES, reads)
    assert "gets up to 100 records at once" in finding.problem


@pytest.mark.parametrize("reads", STREAMS)
@pytest.mark.parametrize("limit", [{"retry_attempts": 5}, {"max_record_age": Duration.hours(1)}])
def test_limited_and_with_a_destination(limit: dict[str, Any], reads: Callable[..., None], findings: Findings) -> None:
    def app(stack: Stack) -> None:
        destination = SqsDlq(sqs.Queue(stack, "Failed"))
        reads(stack, on_failure=destination, report_batch_item_failures=True, **limit)

    assert findings(RULE, app) == []
    assert findings(BATCH_ITEM_FAILURES, app) == []


@pytest.mark.parametrize("reads", STREAMS)
def test_one_without_the_other(reads: Callable[..., None], findings: Findings) -> None:
    (finding,) = findings(RULE, lambda stack: reads(stack, on_failure=SqsDlq(sqs.Queue(stack, "Failed"))))
    assert finding.location == "Properties.MaximumRetryAttempts"
    (finding,) = findings(RULE, lambda stack: reads(stack, retry_attempts=5))
    assert finding.location == "Properties.DestinationConfig"
