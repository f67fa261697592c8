"""What a source made, or found, and reads from: what `InvocationSource.bind` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sqs as sqs


@dataclass(frozen=True)
class QueueBinding:
    """A mapping that reads a queue.

    Attributes
    ----------
    mapping
        Between the queue and the function.
    maximum_concurrency
        How many invocations the mapping runs at once: a lazy number.
    queue
        What it reads from.
    dead_letter_queue
        Where messages end that failed; None where an imported queue keeps it elsewhere.
    wants_dead_letter_alarm
        Whether `alarms()` adds the one on the dead-letter queue.
    """

    mapping: lambda_.EventSourceMapping
    maximum_concurrency: int
    queue: sqs.IQueue
    dead_letter_queue: sqs.IQueue | None
    wants_dead_letter_alarm: bool


@dataclass(frozen=True)
class StreamBinding:
    """A mapping that reads a Kinesis stream or the stream of a table.

    Attributes
    ----------
    mapping
        Between the stream and the function.
    maximum_concurrency
        How many invocations the mapping runs at once: a lazy number.
    origin
        The Kinesis stream or the table.
    failure_bucket
        Where records end that failed; None with `on_failure`.
    """

    mapping: lambda_.EventSourceMapping
    maximum_concurrency: int
    origin: Kinesis | Table
    failure_bucket: s3.Bucket | None


@dataclass(frozen=True)
class Kinesis:
    """A Kinesis data stream."""

    stream: kinesis.IStream


@dataclass(frozen=True)
class Table:
    """A table with a stream of its changes."""

    table: dynamodb.ITable | dynamodb.ITableV2
