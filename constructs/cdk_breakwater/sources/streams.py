"""What Kinesis and DynamoDB Streams share as sources: no record blocks its shard for good, and none is lost."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations, Duration
from aws_cdk import aws_lambda as lambda_

from .._cdk.arguments import DURATION, FILTERS, FLAG, KEY, SECONDS, having, instance_of, require
from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_number
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.streams import (
    MAXIMUM_BATCH,
    MAXIMUM_RETRIES,
    MAXIMUM_TUMBLING_WINDOW_SECONDS,
    MAXIMUM_WINDOW_SECONDS,
    RECORD_AGE_SECONDS,
)
from .batch_size import LateFit, fitting_batch_size
from .binding import Kinesis, StreamBinding
from .function_timeout import timeout_seconds
from .parallelization_factor import MAXIMUM_FACTOR, Parallelism
from .source import InvocationSource, check_filters
from .stream_failed_records import failure_destination, make_failure_bucket
from .stream_validation import StreamValidation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aws_cdk import aws_kms as kms
    from constructs import IConstruct

    from .._cdk.parameter_types import FailureDestination, Key
    from .binding import Table
    from .buffer import Buffer

_DERIVED_BATCH = 100
_UNKNOWN_BATCH = 6
# A record that grows too old must still be in the stream when Lambda reads it to put it into the bucket.
RETENTION_MARGIN = Duration.hours(1)
_KINDS = {
    "expected_duration": DURATION,
    "max_batching_window": SECONDS,
    "starting_position": instance_of(lambda_.StartingPosition, "a lambda_.StartingPosition"),
    "tumbling_window": SECONDS,
    "max_record_age": SECONDS,
    "filters": FILTERS,
    "filter_encryption": KEY,
    "encryption_key": KEY,
    "on_failure": having("bind", "a destination, such as lambda_event_sources.S3OnFailureDestination(bucket)"),
    "replaces_event_source": FLAG,
}


@dataclass(frozen=True)
class Shards:
    """What a mapping reads.

    Attributes
    ----------
    origin
        Whose they are.
    arn
        Of the stream or the consumer to read.
    count
        How many there are, if known.
    record_age
        Age at which a record is kept as failed.
    replaced
        Id of the mapping that this one takes the place of.
    """

    origin: Kinesis | Table
    arn: str
    count: int | None
    record_age: Duration
    replaced: str | None


class StreamSource(InvocationSource):
    """Reads from shards; see `InvocationSource.kinesis` and `InvocationSource.dynamodb_stream`."""

    def __init__(
        self,
        *,
        batch_size: int | None,
        expected_duration: Duration | None,
        max_batching_window: Duration | None,
        parallelization_factor: int | None,
        starting_position: lambda_.StartingPosition | None,
        starting_position_timestamp: datetime | None,
        tumbling_window: Duration | None,
        retry_attempts: int,
        max_record_age: Duration | None,
        filters: Sequence[Mapping[str, Any]] | None,
        filter_encryption: Key | None,
        encryption_key: Key | None,
        on_failure: FailureDestination | None,
        replaces_event_source: bool,
    ) -> None:
        self._batch_size = batch_size
        self._expected_duration = expected_duration
        self._max_batching_window = max_batching_window
        # The state of a tumbling window goes from one invocation of a shard to the next, so they follow one another.
        self._factor = 1 if parallelization_factor is None and tumbling_window is not None else parallelization_factor
        self._tells_where_to_start = starting_position is not None or starting_position_timestamp is not None
        derived = lambda_.StartingPosition.TRIM_HORIZON
        if starting_position_timestamp is not None:
            derived = lambda_.StartingPosition.AT_TIMESTAMP
        self._starting_position = derived if starting_position is None else starting_position
        self._timestamp = starting_position_timestamp
        self._tumbling_window = tumbling_window
        self._retry_attempts = retry_attempts
        self._max_record_age = max_record_age
        self._filters = filters
        self._filter_encryption = cast("kms.IKey | None", filter_encryption)
        self._on_failure = cast("lambda_.IEventSourceDlq | None", on_failure)
        self._encryption_key = cast("kms.IKey | None", encryption_key)
        self._replaces_event_source = replaces_event_source

    @abstractmethod
    def _prepare(self, invocation: Buffer) -> Shards:
        """Make or check the stream, and let the function read it."""

    def bind(self, invocation: Buffer) -> StreamBinding:
        """See `InvocationSource.bind`."""
        require(invocation, {name: getattr(self, f"_{name}") for name in _KINDS}, _KINDS)
        self._check_numbers(invocation)
        check_filters(invocation, self._filters, self._filter_encryption)
        read = self._prepare(invocation)
        shards = read.count
        least = (shards or 1) * (self._factor or 1)
        counted = "1 shard or more" if shards is None else f"{shards} {'shard' if shards == 1 else 'shards'}"
        position = invocation.concurrency.add_mapping(
            f"{invocation.node.path} reads {counted}, each with {self._factor or 1} at once; fewer shards need less",
            minimum=least,
        )
        stream = read.origin.stream.node.default_child if isinstance(read.origin, Kinesis) else None
        parallelism = Parallelism(invocation, position, shards=shards, stream=stream, given=self._factor)
        bucket = make_failure_bucket(invocation, self._encryption_key) if self._on_failure is None else None
        mapping = lambda_.EventSourceMapping(
            *invocation.mapping_scope(read.replaced),
            target=invocation.function,
            event_source_arn=read.arn,
            batch_size=self._fitting_batch_size(invocation),
            max_batching_window=self._max_batching_window,
            parallelization_factor=lazy_number(parallelism.factor),
            starting_position=self._starting_position,
            starting_position_timestamp=self._timestamp_seconds(invocation),
            tumbling_window=self._tumbling_window,
            retry_attempts=self._retry_attempts,
            max_record_age=read.record_age,
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            filters=self._filters,
            filter_encryption=self._filter_encryption,
            on_failure=self._on_failure if bucket is None else failure_destination(bucket),
            support_s3_on_failure_destination=True,
        )
        resource = cast("IConstruct", mapping.node.default_child)
        fit = LateFit(invocation, resource, self._expected_duration)
        age = read.record_age.to_seconds()
        validate_at_synth(invocation, StreamValidation(invocation, resource, stream, parallelism, fit, age).errors)
        return StreamBinding(mapping, lazy_number(parallelism.maximum_concurrency), read.origin, bucket)

    def _check_numbers(self, invocation: Buffer) -> None:
        if self._batch_size is not None:
            _check_range(invocation, "batch_size", self._batch_size, range(1, MAXIMUM_BATCH + 1))
        # -1, without end, is refused too: one bad record would block its shard until it expires.
        _check_range(invocation, "retry_attempts", self._retry_attempts, range(MAXIMUM_RETRIES + 1))
        if self._factor is not None:
            _check_range(invocation, "parallelization_factor", self._factor, range(1, MAXIMUM_FACTOR + 1))
        for name, duration, allowed in (
            ("max_batching_window", self._max_batching_window, range(MAXIMUM_WINDOW_SECONDS + 1)),
            ("tumbling_window", self._tumbling_window, range(1, MAXIMUM_TUMBLING_WINDOW_SECONDS + 1)),
            ("max_record_age", self._max_record_age, RECORD_AGE_SECONDS),
        ):
            if duration is not None:
                _check_range(invocation, f"{name} in seconds", duration.to_seconds(), allowed)

    def _fitting_batch_size(self, invocation: Buffer) -> int:
        """Return a size at which a batch is done before its retries are spent, though it outlast the timeout.

        Each invocation begins one record at least. AWS does not say that the retries begin anew with the records that
        are left, so a batch has no more records than retries, unless it is known to fit.
        """
        unknown = max(1, min(_UNKNOWN_BATCH, self._retry_attempts))
        if self._batch_size is None and self._expected_duration is None:
            Annotations.of(invocation).add_info_v2(
                "cdk-breakwater:batch-size",
                f"BatchSize is {unknown}: it is not known how long a record takes. In a larger batch, records that "
                "the function has no time to begin might be given up. Pass expected_duration=Duration… or "
                "batch_size=… for larger batches, which cost fewer invocations.",
            )
            return unknown
        known = self._expected_duration is not None
        return fitting_batch_size(
            invocation,
            given=self._batch_size,
            expected_duration=self._expected_duration,
            timeout=timeout_seconds(invocation, "the size of a batch follows from it") if known else 0,
            largest=_DERIVED_BATCH,
            unknown=unknown,
        )

    def _take_over(
        self, invocation: Buffer, kind: str, source: IConstruct | None, read: IConstruct | None
    ) -> str | None:
        """Require the replaced mapping's starting position, or warn that a new mapping starts at the oldest record.

        Parameters
        ----------
        invocation
            Whose source.
        kind
            What the L2 calls its event source.
        source
            The stream or table that was there before, None for one that was not.
        read
            What the L2 names its event source by, such as a consumer.

        Returns
        -------
        str or None
            The id of the mapping that is replaced.
        """
        missing = [
            name
            for name, told in (
                ("starting_position", self._tells_where_to_start),
                ("batch_size", self._batch_size is not None),
            )
            if not told
        ]
        if self._replaces_event_source:
            if source is None or read is None:
                raise BreakwaterError(
                    invocation,
                    "replaces_event_source=True, but its stream is new, so nothing reads it yet.",
                    "Pass the stream, or leave replaces_event_source out.",
                )
            if missing:
                raise BreakwaterError(
                    invocation,
                    f"replaces_event_source=True, and {' and '.join(missing)} of what it replaces is not given.",
                    "With another starting_position, CloudFormation creates a new mapping, which Lambda refuses "
                    "beside the old one. A handler that was written for fewer records leaves out the rest. Pass the "
                    "values that it had: starting_position=…, batch_size=….",
                )
            return invocation.replaced_event_source(kind, read)
        if source is not None and not self._tells_where_to_start:
            Annotations.of(invocation).add_warning_v2(
                "cdk-breakwater:starting-position",
                f"A new mapping of {source.node.path} begins at TRIM_HORIZON, so the function processes everything "
                "that the stream keeps, including records that another mapping has already processed. If it "
                "replaces a mapping, pass replaces_event_source=True with that mapping's starting_position and "
                "batch_size. Otherwise, pass "
                "starting_position=….",
            )
        return None

    def _timestamp_seconds(self, invocation: Buffer) -> float | None:
        at_timestamp = self._starting_position is lambda_.StartingPosition.AT_TIMESTAMP
        if at_timestamp is not (self._timestamp is not None):
            raise BreakwaterError(
                invocation,
                f"starting_position={self._starting_position.value} "
                + ("lacks its instant." if at_timestamp else "has no instant."),
                "Give starting_position_timestamp with AT_TIMESTAMP, and with nothing else.",
            )
        if self._timestamp is None:
            return None
        if self._timestamp.tzinfo is None:
            raise BreakwaterError(
                invocation,
                f"starting_position_timestamp={self._timestamp.isoformat()} has no time zone.",
                "Give it one, such as tzinfo=timezone.utc.",
            )
        return self._timestamp.timestamp()

    def _age_within(self, invocation: Buffer, retention_hours: int, where: str) -> Duration:
        latest = Duration.hours(retention_hours).minus(RETENTION_MARGIN)
        if self._max_record_age is None:
            return Duration.seconds(min(latest.to_seconds(), RECORD_AGE_SECONDS[-1]))
        if self._max_record_age.to_seconds() > latest.to_seconds():
            raise BreakwaterError(
                invocation,
                f"max_record_age={self._max_record_age.to_human_string()} reaches the retention of {where}, "
                f"{retention_hours} h: a record would expire before it is stored as failed.",
                f"It is at most {latest.to_human_string()}, an hour below.",
            )
        return self._max_record_age


def _check_range(invocation: Buffer, name: str, value: float, allowed: range) -> None:
    number = required_number(invocation, name, value, minimum=allowed.start)
    if number not in allowed:
        raise BreakwaterError(
            invocation, f"{name} must be {allowed.start} to {allowed[-1]} (given {number}).", "Lambda allows no more."
        )
