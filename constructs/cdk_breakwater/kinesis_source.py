"""A Kinesis data stream as the source of a decoupled invocation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations, Duration, Token
from aws_cdk import aws_kinesis as kinesis

from .errors import BreakwaterError
from .required_number import required_number
from .stream_source import RETENTION_MARGIN, StreamSource

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam

    from .decoupled_invocation import DecoupledInvocation

# Retention is 24 h at least and by default. Source: Amazon Kinesis Data Streams Developer Guide, "Change the data
# retention period".
_LEAST_RETENTION_HOURS = 24


class KinesisSource(StreamSource):
    """See `InvocationSource.kinesis`."""

    def __init__(self, stream: kinesis.IStream | None, *, shard_count: int | None, **options: Any) -> None:
        super().__init__(**options)
        self._stream = stream
        self._shard_count = shard_count

    def grant_send(self, invocation: DecoupledInvocation, grantee: iam.IGrantable) -> iam.Grant:
        """See `InvocationSource.grant_send`."""
        return invocation.stream.grant_write(grantee)

    def _prepare(self, invocation: DecoupledInvocation) -> tuple[str, int | None, Duration]:
        shards, hours = self._make(invocation) if self._stream is None else self._check_existing(invocation)
        invocation.stream.grant_read(invocation.function)
        return invocation.stream.stream_arn, shards, self._age_within(invocation, hours, invocation.stream.node.path)

    def _make(self, invocation: DecoupledInvocation) -> tuple[int | None, int]:
        shards = self._shard_count
        if shards is not None:
            shards = required_number(invocation, "shard_count", shards)
        hours = self._retention_needed()
        invocation.stream = cast(
            "kinesis.IStream",
            kinesis.Stream(
                invocation,
                "Stream",
                stream_mode=kinesis.StreamMode.ON_DEMAND if shards is None else kinesis.StreamMode.PROVISIONED,
                shard_count=shards,
                encryption=kinesis.StreamEncryption.MANAGED,
                retention_period=Duration.hours(hours),
            ),
        )
        return shards, hours

    def _check_existing(self, invocation: DecoupledInvocation) -> tuple[int | None, int]:
        stream = cast("kinesis.IStream", self._stream)
        if self._shard_count is not None:
            raise BreakwaterError(
                invocation,
                f"shard_count={self._shard_count} is given beside the stream {stream.node.path}.",
                "It is for a stream of the invocation's own; an existing stream tells by itself.",
            )
        invocation.stream = stream
        resource: Any = stream.node.default_child
        if resource is None:
            hours = self._retention_needed()
            Annotations.of(invocation).add_info(
                f"{stream.node.path} is imported, so it can't be checked: it must keep records for {hours} h or more."
            )
            return None, hours
        shards, hours = resource.shard_count, resource.retention_period_hours
        known = shards is not None and not Token.is_unresolved(shards)
        return (
            int(shards) if known else None,
            _LEAST_RETENTION_HOURS if hours is None or Token.is_unresolved(hours) else int(hours),
        )

    def _retention_needed(self) -> int:
        if self._max_record_age is None:
            return _LEAST_RETENTION_HOURS
        hours = self._max_record_age.plus(RETENTION_MARGIN).to_hours(integral=False)
        return max(_LEAST_RETENTION_HOURS, math.ceil(hours))
