"""A Kinesis data stream as the source of a decoupled invocation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, cast

from aws_cdk import Annotations, Duration, Names
from aws_cdk import aws_kinesis as kinesis

from .._cdk.arguments import Kind, having, require
from .._cdk.rendered import rendered_number
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.streams import KINESIS_RETENTION_HOURS
from .binding import Kinesis
from .cross_account_source import check_environment
from .shared_throughput import add_shared_reader
from .streams import RETENTION_MARGIN, Shards, StreamSource

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from constructs import IConstruct

    from .buffer import Buffer

# Source: AWS Lambda Developer Guide, "Using Lambda with Kinesis Data Streams": cross-account event source mappings.
_READ = (
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)


def _is_consumer(value: Any) -> bool:
    return value in ("shared", "enhanced") if isinstance(value, str) else hasattr(value, "stream_consumer_arn")


_KINDS = {
    "stream": having("stream_arn", "a kinesis.Stream, or an imported one"),
    "consumer": Kind('"shared", "enhanced", or a kinesis.StreamConsumer', _is_consumer),
}


class KinesisSource(StreamSource):
    """See `InvocationSource.kinesis`."""

    def __init__(
        self,
        stream: kinesis.IStream | None,
        *,
        shard_count: int | None,
        consumer: kinesis.IStreamConsumer | Literal["shared", "enhanced"],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._stream = stream
        self._shard_count = shard_count
        self._consumer = consumer

    def grant_send(self, invocation: Buffer, grantee: iam.IGrantable) -> iam.Grant:
        """See `InvocationSource.grant_send`."""
        return invocation.stream.grant_write(grantee)

    def _prepare(self, invocation: Buffer) -> Shards:
        require(invocation, {"stream": self._stream, "consumer": self._consumer}, _KINDS)
        stream = self._existing(invocation)
        shared = isinstance(self._consumer, str)
        if self._consumer == "enhanced" and self._replaces_event_source:
            raise BreakwaterError(
                invocation,
                'replaces_event_source=True with consumer="enhanced", whose consumer is new: nothing reads by it yet.',
                "Pass the kinesis.StreamConsumer that was read by.",
            )
        replaced = self._take_over(
            invocation,
            "KinesisEventSource" if shared else "KinesisConsumerEventSource",
            stream,
            stream if shared else cast("IConstruct", self._consumer),
        )
        if stream is not None:
            check_environment(invocation, stream, stream.stream_arn, "the stream's resource policy", _READ)
            shards, hours = self._check_existing(invocation, stream)
        else:
            shards, hours = self._own_shard_count(invocation), self._retention_needed()
            stream = self._make(invocation, shards, hours)
        age = self._age_within(invocation, hours, stream.node.path)
        return Shards(Kinesis(stream), self._arn_to_read(invocation, stream), shards, age, replaced)

    def _existing(self, invocation: Buffer) -> kinesis.IStream | None:
        if isinstance(self._consumer, str):
            return self._stream
        if self._stream is not None:
            raise BreakwaterError(
                invocation,
                f"the stream {self._stream.node.path} is given together with a consumer.",
                "A consumer already determines its stream.",
            )
        return self._consumer.stream

    def _arn_to_read(self, invocation: Buffer, stream: kinesis.IStream) -> str:
        if self._consumer == "shared":
            add_shared_reader(invocation, stream)
            stream.grant_read(invocation.function)
            return stream.stream_arn
        consumer = self._consumer
        if isinstance(consumer, str):
            name = Names.unique_resource_name(invocation, max_length=128)  # the L2 makes up none
            consumer = kinesis.StreamConsumer(invocation, "Consumer", stream=stream, stream_consumer_name=name)
        consumer.grant_read(invocation.function)
        return consumer.stream_consumer_arn

    def _own_shard_count(self, invocation: Buffer) -> int | None:
        return None if self._shard_count is None else required_number(invocation, "shard_count", self._shard_count)

    def _make(self, invocation: Buffer, shards: int | None, hours: int) -> kinesis.IStream:
        return cast(
            "kinesis.IStream",
            kinesis.Stream(
                invocation,
                "Stream",
                stream_mode=kinesis.StreamMode.ON_DEMAND if shards is None else kinesis.StreamMode.PROVISIONED,
                shard_count=shards,
                encryption=kinesis.StreamEncryption.MANAGED
                if self._encryption_key is None
                else kinesis.StreamEncryption.KMS,
                encryption_key=self._encryption_key,
                retention_period=Duration.hours(hours),
            ),
        )

    def _check_existing(self, invocation: Buffer, stream: kinesis.IStream) -> tuple[int | None, int]:
        resource: Any = stream.node.default_child
        for name, given in (
            ("encryption_key", self._encryption_key),
            ("shard_count", self._shard_count if resource is not None else None),
        ):
            if given is not None:
                raise BreakwaterError(
                    invocation,
                    f"{name}={given} is given together with the stream {stream.node.path}.",
                    "It is for a new stream. An existing stream already has its own setting.",
                )
        if resource is None:
            hours = self._retention_needed()
            Annotations.of(invocation).add_info_v2(
                "cdk-breakwater:imported-stream",
                f"{stream.node.path} is imported, so it can't be checked: it must keep records for {hours} h or more.",
            )
            return self._own_shard_count(invocation), hours
        hours = rendered_number(resource, "RetentionPeriodHours")
        return rendered_number(resource, "ShardCount"), KINESIS_RETENTION_HOURS if hours is None else hours

    def _retention_needed(self) -> int:
        if self._max_record_age is None:
            return KINESIS_RETENTION_HOURS
        hours = self._max_record_age.plus(RETENTION_MARGIN).to_hours(integral=False)
        return max(KINESIS_RETENTION_HOURS, math.ceil(hours))
