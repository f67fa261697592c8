"""The stream of a DynamoDB table as the source of a decoupled invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from .._cdk.arguments import having, require
from ..errors import BreakwaterError
from ..limits.streams import DYNAMODB_RETENTION_HOURS
from .binding import Table
from .cross_account_source import check_environment
from .shared_throughput import add_shared_reader
from .streams import Shards, StreamSource

if TYPE_CHECKING:
    from constructs import IConstruct

    from .buffer import Buffer

_VIEW_TYPE = "NEW_AND_OLD_IMAGES"
_READ = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")

_TABLE = having("table_arn", "a dynamodb.Table or TableV2, or an imported one")
_TURNED_ON: set[IConstruct] = set()


class DynamoDbStreamSource(StreamSource):
    """See `InvocationSource.dynamodb_stream`."""

    def __init__(self, table: dynamodb.ITable | dynamodb.ITableV2, **options: Any) -> None:
        super().__init__(starting_position_timestamp=None, encryption_key=None, **options)
        self._table = table

    def grant_send(self, invocation: Buffer, grantee: iam.IGrantable) -> iam.Grant:
        """See `InvocationSource.grant_send`."""
        return invocation.table.grant_write_data(grantee)

    def _prepare(self, invocation: Buffer) -> Shards:
        require(invocation, {"table": self._table}, {"table": _TABLE}, needed=["table"])
        if self._starting_position is lambda_.StartingPosition.AT_TIMESTAMP:
            raise BreakwaterError(
                invocation,
                "starting_position=AT_TIMESTAMP is for Kinesis only.",
                "The stream of a table is read from TRIM_HORIZON or LATEST.",
            )
        check_environment(invocation, self._table, self._table.table_arn, "a policy on the table's stream", _READ)
        has_stream = _has_stream(self._table)
        replaced = self._take_over(invocation, "DynamoDBEventSource", self._table if has_stream else None, self._table)
        add_shared_reader(invocation, self._table)
        arn = _stream_arn(invocation, self._table)
        # Not grant_stream_read: it refuses a table whose stream was turned on after its construction.
        iam.Grant.add_to_principal(
            grantee=invocation.function,
            actions=[*_READ, "dynamodb:ListStreams"],
            resource_arns=[arn],
        )
        if self._table.encryption_key is not None:
            self._table.encryption_key.grant_decrypt(invocation.function)
        age = self._age_within(invocation, DYNAMODB_RETENTION_HOURS, f"the stream of {self._table.node.path}")
        return Shards(Table(self._table), arn, None, age, replaced)


def _has_stream(table: dynamodb.ITable | dynamodb.ITableV2) -> bool:
    """Tell whether it had one before an invocation read it, of which others may have read."""
    if table in _TURNED_ON:
        return False
    resource: Any = table.node.default_child
    if isinstance(resource, dynamodb.CfnGlobalTable):
        return Stack.of(table).resolve(resource._cfn_properties.get("streamSpecification")) is not None
    return table.table_stream_arn is not None


def _stream_arn(invocation: Buffer, table: dynamodb.ITable | dynamodb.ITableV2) -> str:
    resource: Any = table.node.default_child
    if isinstance(resource, dynamodb.CfnGlobalTable):
        # The L2 keeps the specification in a token that becomes nothing without replicas.
        specification = resource._cfn_properties.get("streamSpecification")
        if Stack.of(table).resolve(specification) is None:
            resource.stream_specification = dynamodb.CfnGlobalTable.StreamSpecificationProperty(
                stream_view_type=_VIEW_TYPE
            )
            _TURNED_ON.add(table)
        return resource.attr_stream_arn
    if table.table_stream_arn is not None:
        return table.table_stream_arn
    if isinstance(resource, dynamodb.CfnTable):
        if resource.stream_specification is None:
            resource.stream_specification = dynamodb.CfnTable.StreamSpecificationProperty(stream_view_type=_VIEW_TYPE)
            _TURNED_ON.add(table)
        return resource.attr_stream_arn
    raise BreakwaterError(
        invocation,
        f"{table.node.path} is imported and the ARN of its stream is unknown; turning one on belongs to its own app.",
        "Import it with Table.from_table_attributes(…, table_stream_arn=…).",
    )
