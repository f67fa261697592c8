"""How a front door reaches each source: the API's call, what it may do, how much it takes, how long a job may wait."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_cdk import Stack, Token
from aws_cdk import aws_iam as iam

from .._cdk.queue_retention import MAXIMUM_RETENTION, retention_seconds
from ..errors import BreakwaterError
from ..sources.binding import Kinesis, QueueBinding, Table
from .mapping_templates import JOB, FrontDoorTemplates, dynamodb_templates, kinesis_templates, sqs_templates

if TYPE_CHECKING:
    from typing import TypeAlias

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_sqs as sqs

    from ..sources.buffer import Buffer

    AnyTable: TypeAlias = dynamodb.ITable | dynamodb.ITableV2

# Requests per second. Half of what API Gateway grants an account in its smaller Regions, 2,500, so that no door alone
# takes it all (API Gateway Developer Guide, "Amazon API Gateway quotas"). A FIFO queue takes 300 sends (Amazon SQS
# Developer Guide, "Message quotas"), a shard 1,000 records (Amazon Kinesis Data Streams Developer Guide, "Quotas").
_RATE = 1_250
_FIFO_RATE = 300
_SHARD_RATE = 1_000
# A stream keeps records for 24 h by default; an event source mapping gives them up after 7 days at most (Amazon Kinesis
# Data Streams Developer Guide, "Change the data retention period"; AWS Lambda API Reference, CreateEventSourceMapping).
_STREAM_DEFAULT_HOURS = 24
_LONGEST_STREAM_HOURS = 7 * 24
# Bytes. Sources: Amazon SQS Developer Guide, "Message quotas"; Amazon Kinesis Data Streams Developer Guide, "Quotas and
# limits"; Amazon DynamoDB Developer Guide, "Quotas": 400 KB for an item, its names and its key of up to 2 KB included.
_LONGEST_BODY = 1_048_576
_LONGEST_ITEM_BODY = 390 * 1024
_OWN_NAMES = ("body", "posted", JOB)
_JSON_PATH = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*)+")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class SourceIntegration:
    """What a front door needs to know of a source.

    Attributes
    ----------
    service, path, action
        Of API Gateway's integration; path or action.
    templates
        What is sent and answered.
    allowed
        What API Gateway's role may do.
    key
        The key of the source, to encrypt with.
    rate_limit
        Requests per second that the source takes.
    longest_wait
        Seconds that a job may wait in the source.
    queues
        Queues that a job may wait in.
    table, partition_key
        The table that a job waits in, and its key.
    """

    service: str
    templates: FrontDoorTemplates
    allowed: iam.PolicyStatement
    key: kms.IKey | None
    rate_limit: int
    longest_wait: int
    path: str | None = None
    action: str | None = None
    queues: list[sqs.IQueue] = field(default_factory=list)
    table: dynamodb.ITable | dynamodb.ITableV2 | None = None
    partition_key: str = ""


def source_integration(
    invocation: Buffer, job: str, *, order_by: str | None, partition_key: str | None, **common: int
) -> SourceIntegration:
    """Find the way into an invocation's source.

    Parameters
    ----------
    invocation
        Whose source.
    job
        See `mapping_templates.job_name`.
    order_by
        JSON path of what keeps jobs in order.
    partition_key
        The name of a table's, where it cannot be read.
    common
        `longest` and `retry_after` of the templates.

    Raises
    ------
    BreakwaterError
        When an option does not fit the source.
    """
    if order_by is not None and not _JSON_PATH.fullmatch(order_by):
        raise BreakwaterError(
            invocation,
            f"order_by={order_by!r} is not a path to a single value.",
            "Use only member names, such as $.customer.id.",
        )
    binding = invocation.binding
    origin = binding.queue if isinstance(binding, QueueBinding) else binding.origin
    if partition_key is not None and not isinstance(origin, Table):
        raise BreakwaterError(invocation, "partition_key is for a table as source.", "Leave it out.")
    longest = _LONGEST_ITEM_BODY if isinstance(origin, Table) else _LONGEST_BODY
    if not 1 <= common["longest"] <= longest:
        raise BreakwaterError(
            invocation, f"max_body is {common['longest']} bytes.", f"It is 1 to {longest}, the most that it takes."
        )
    if isinstance(origin, Kinesis):
        return _stream(origin.stream, job, order_by, common)
    if isinstance(origin, Table):
        if order_by is not None:
            raise BreakwaterError(invocation, "a table doesn't keep its items in order.", "Leave order_by out.")
        return _table(invocation, origin.table, job, partition_key, common)
    return _queue(invocation, origin, job, order_by, common)


def _queue(
    invocation: Buffer, queue: sqs.IQueue, job: str, order_by: str | None, common: dict[str, Any]
) -> SourceIntegration:
    if order_by is not None and not queue.fifo:
        raise BreakwaterError(
            invocation,
            "a standard queue doesn't keep its messages in order.",
            "Use InvocationSource.sqs(fifo=True), or leave order_by out.",
        )
    return SourceIntegration(
        service="sqs",
        path=f"{queue.env.account}/{queue.queue_name}",
        templates=sqs_templates(job, fifo=queue.fifo, order_by=order_by, **common),
        allowed=iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn]),
        key=queue.encryption_master_key,
        rate_limit=_FIFO_RATE if queue.fifo else _RATE,
        longest_wait=retention_seconds(queue) or int(MAXIMUM_RETENTION.to_seconds()),
        queues=[queue],
    )


def _stream(stream: kinesis.IStream, job: str, order_by: str | None, common: dict[str, Any]) -> SourceIntegration:
    resource: Any = stream.node.default_child
    shards, hours = getattr(resource, "shard_count", None), getattr(resource, "retention_period_hours", None)
    known = shards is not None and not Token.is_unresolved(shards)
    if resource is None or Token.is_unresolved(hours):
        hours = _LONGEST_STREAM_HOURS
    return SourceIntegration(
        service="kinesis",
        action="PutRecord",
        templates=kinesis_templates(job, stream.stream_name, order_by=order_by, **common),
        allowed=iam.PolicyStatement(actions=["kinesis:PutRecord"], resources=[stream.stream_arn]),
        key=stream.encryption_key,
        rate_limit=min(_RATE, _SHARD_RATE * int(shards)) if known else _RATE,
        longest_wait=int(hours or _STREAM_DEFAULT_HOURS) * 3600,
    )


def _table(
    invocation: Buffer, table: AnyTable, job: str, given: str | None, common: dict[str, Any]
) -> SourceIntegration:
    partition_key = _partition_key(invocation, table, given)
    return SourceIntegration(
        service="dynamodb",
        action="PutItem",
        templates=dynamodb_templates(job, table.table_name, partition_key=partition_key, **common),
        allowed=iam.PolicyStatement(actions=["dynamodb:PutItem"], resources=[table.table_arn]),
        key=table.encryption_key,
        rate_limit=_RATE,
        longest_wait=_STREAM_DEFAULT_HOURS * 3600,  # as long as any table's stream keeps records
        table=table,
        partition_key=partition_key,
    )


def _partition_key(invocation: Buffer, table: AnyTable, given: str | None) -> str:
    schema = {key["keyType"]: key["attributeName"] for key in _described(table, "key_schema")}
    types = {
        attribute["attributeName"]: attribute["attributeType"]
        for attribute in _described(table, "attribute_definitions")
    }
    if "RANGE" in schema:
        raise BreakwaterError(
            invocation,
            f"{table.node.path} has a sort key, and a job is one item by its name.",
            "Use a table that has only a partition key.",
        )
    name = schema.get("HASH") or given
    if not name or not _ATTRIBUTE_NAME.fullmatch(name) or types.get(name, "S") != "S":
        raise BreakwaterError(
            invocation,
            f"the partition key of {table.node.path} is {name!r}, type {types.get(name or '', 'unknown')}.",
            "It is a string whose name has letters, digits, _, . and - alone; name that of an imported table with "
            "partition_key.",
        )
    if name in _OWN_NAMES:
        raise BreakwaterError(
            invocation,
            f"the partition key of {table.node.path} is {name!r}, which the item of a job has for something else.",
            f"Name it otherwise than {', '.join(_OWN_NAMES)}.",
        )
    return name


def _described(table: AnyTable, name: str) -> list[dict[str, str]]:
    """Return a list of the resource's, empty for an imported table."""
    return Stack.of(table).resolve(getattr(table.node.default_child, name, None)) or []
