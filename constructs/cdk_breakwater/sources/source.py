"""What a decoupled invocation reads from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aws_cdk import Duration
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs

    from .._cdk.parameter_types import FailureDestination, Key
    from .binding import QueueBinding, StreamBinding
    from .buffer import Buffer


class InvocationSource(ABC):
    """A queue or stream between the senders and the function; made with one of the static methods."""

    @staticmethod
    def sqs(
        queue: sqs.IQueue | None = None,
        *,
        fifo: bool = False,
        batch_size: int | None = None,
        expected_duration: Duration | None = None,
        max_batching_window: Duration | None = None,
        max_receive_count: int | None = None,
        content_based_deduplication: bool = False,
        encryption_key: Key | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
        filter_encryption: Key | None = None,
        dead_letter_alarm: bool | None = None,
        replaces_event_source: bool = False,
        acknowledge_visibility_timeout: str | None = None,
        acknowledge_dead_letter_queue: str | None = None,
        acknowledge_dead_letter_retention: str | None = None,
    ) -> InvocationSource:
        """Read from an SQS queue.

        Parameters
        ----------
        queue
            An existing queue. Default: an encrypted one of its own, with a dead-letter queue.
        fifo
            Make a FIFO queue. An existing queue tells by itself.
        batch_size
            Records per invocation: 1 to 10, or to 10,000 for a standard queue with a batching window. Default: a third
            of the function's timeout divided by `expected_duration`, else 1, since a message that is received and not
            begun has spent a receive. 1 for a FIFO queue, where the messages behind a failing one are received with
            it, use up their receives with it, and would end in the dead-letter queue untried.
        expected_duration
            How long the work of a message takes on average. Default: unknown.
        max_batching_window
            How long Lambda gathers a batch, up to 300 s. Standard queues only. Default: not at all.
        max_receive_count
            Receives before a message goes to the dead-letter queue, 5 to 1,000. Below 5, throttled receives alone can
            send a message there untried (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"). Default 5.
        content_based_deduplication
            Deduplicate a FIFO queue of its own by the message's body. Default False.
        encryption_key
            Key that encrypts a queue of its own and the dead-letter queue. Default: SQS's own encryption.
        filters
            Patterns made with `lambda_.FilterCriteria.filter`; what matches none is deleted from the queue unseen.
            Default: every message.
        filter_encryption
            Key that encrypts the filters. Default: one of Lambda's.
        dead_letter_alarm
            False makes no alarm on the dead-letter queue of a queue of its own. Default True: an alarm without an
            action goes off while there is a message in it.
        replaces_event_source
            Whether the mapping takes the place of `function.add_event_source(SqsEventSource(queue))`, which is removed:
            it keeps that one's logical id and is changed in place, where a new one would be refused beside the old.
            Default False.
        acknowledge_visibility_timeout, acknowledge_dead_letter_queue, acknowledge_dead_letter_retention
            Why an existing queue is right although its visibility timeout is short; its dead-letter queue is missing or
            takes messages after less than 5 receives; or that one keeps messages no longer than the queue does. The
            reason becomes that of the acknowledgement for `DownstreamChecks`. Default: such a queue is refused.
        """
        from .sqs import SqsSource

        return SqsSource(
            queue,
            fifo=fifo,
            batch_size=batch_size,
            expected_duration=expected_duration,
            max_batching_window=max_batching_window,
            max_receive_count=max_receive_count,
            content_based_deduplication=content_based_deduplication,
            encryption_key=encryption_key,
            filters=filters,
            filter_encryption=filter_encryption,
            dead_letter_alarm=dead_letter_alarm,
            replaces_event_source=replaces_event_source,
            acknowledge_visibility_timeout=acknowledge_visibility_timeout,
            acknowledge_dead_letter_queue=acknowledge_dead_letter_queue,
            acknowledge_dead_letter_retention=acknowledge_dead_letter_retention,
        )

    @staticmethod
    def kinesis(
        stream: kinesis.IStream | None = None,
        *,
        shard_count: int | None = None,
        consumer: kinesis.IStreamConsumer | Literal["shared", "enhanced"] = "shared",
        batch_size: int | None = None,
        expected_duration: Duration | None = None,
        max_batching_window: Duration | None = None,
        parallelization_factor: int | None = None,
        starting_position: lambda_.StartingPosition | None = None,
        starting_position_timestamp: datetime | None = None,
        tumbling_window: Duration | None = None,
        retry_attempts: int = 10,
        max_record_age: Duration | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
        filter_encryption: Key | None = None,
        encryption_key: Key | None = None,
        on_failure: FailureDestination | None = None,
        replaces_event_source: bool = False,
    ) -> InvocationSource:
        """Read from a Kinesis data stream.

        Shards x parallelization factor run at once, so the function's share must be at least the number of shards.

        Parameters
        ----------
        stream
            An existing stream. Default: an encrypted one of its own.
        shard_count
            Shards of a stream of its own, or of an imported one. Default: on demand; their number is unknown then, and
            the function's reserved concurrency alone limits the invocations.
        consumer
            "shared" reads with the 2 MB/s of each shard that all shared readers divide, once a second; "enhanced"
            registers a consumer that has 2 MB/s of its own and is pushed to (enhanced fan-out, at a price per hour); or
            a consumer made elsewhere, which tells its stream. Default "shared".
        batch_size
            Records per invocation, 1 to 10,000. Default: a third of the function's timeout divided by
            `expected_duration`, 100 at most; without that 6, and no more than `retry_attempts`, so that a batch that
            outlasts the timeout is done before its retries are spent.
        expected_duration
            How long the work of a record takes on average. Default: unknown.
        max_batching_window
            How long Lambda gathers a batch, up to 300 s. Default: not at all.
        parallelization_factor
            Batches at once from one shard, 1 to 10. Default: the largest that the share allows; 1 where the number of
            shards is unknown, and with a tumbling window.
        starting_position
            TRIM_HORIZON, LATEST or AT_TIMESTAMP. Default TRIM_HORIZON, so that nothing sent during a deployment is
            missed; of an existing stream that is all it keeps, and a warning asks to say so.
        starting_position_timestamp
            The instant of AT_TIMESTAMP, with its time zone.
        tumbling_window
            Length of the window that state is kept for, 1 to 900 s. Default: none.
        retry_attempts
            Retries of a batch before its records are kept as failed, 0 to 10,000. Default 10: an invocation that waits
            for its database until near its timeout outlasts a failover of one to two minutes this way, and a bad
            record blocks its shard for ten short attempts.
        max_record_age
            Age at which a record is kept as failed, 60 s to 7 days and an hour or more below the stream's retention; a
            stream of its own adapts its retention. Default: an hour below the retention, at most 7 days.
        filters
            Patterns made with `lambda_.FilterCriteria.filter`. Default: every record.
        filter_encryption
            Key that encrypts the filters. Default: one of Lambda's.
        encryption_key
            Key that encrypts a stream of its own, and the bucket of failed records. Default: Kinesis's and S3's own.
        on_failure
            Where failed records are kept. Only `S3OnFailureDestination` keeps the payload; `SqsDlq` and `SnsDlq` keep a
            pointer that ends with the stream's retention. Default: an encrypted bucket of its own that keeps them for
            90 days.
        replaces_event_source
            Whether the mapping takes the place of `function.add_event_source(KinesisEventSource(stream, …))`, which is
            removed: it keeps that one's logical id and is changed in place. `starting_position` and `batch_size` must
            then be given, as that one had them. Default False.
        """
        from .kinesis import KinesisSource

        return KinesisSource(
            stream,
            shard_count=shard_count,
            consumer=consumer,
            encryption_key=encryption_key,
            batch_size=batch_size,
            expected_duration=expected_duration,
            max_batching_window=max_batching_window,
            parallelization_factor=parallelization_factor,
            starting_position=starting_position,
            starting_position_timestamp=starting_position_timestamp,
            tumbling_window=tumbling_window,
            retry_attempts=retry_attempts,
            max_record_age=max_record_age,
            filters=filters,
            filter_encryption=filter_encryption,
            on_failure=on_failure,
            replaces_event_source=replaces_event_source,
        )

    @staticmethod
    def dynamodb_stream(
        table: dynamodb.ITable | dynamodb.ITableV2,
        *,
        batch_size: int | None = None,
        expected_duration: Duration | None = None,
        max_batching_window: Duration | None = None,
        parallelization_factor: int | None = None,
        starting_position: lambda_.StartingPosition | None = None,
        tumbling_window: Duration | None = None,
        retry_attempts: int = 10,
        max_record_age: Duration | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
        filter_encryption: Key | None = None,
        on_failure: FailureDestination | None = None,
        replaces_event_source: bool = False,
    ) -> InvocationSource:
        """Read the changes of a DynamoDB table.

        The number of shards is unknown at synth, so the function's reserved concurrency alone limits the invocations.

        Parameters
        ----------
        table
            The table. Where it has no stream, one with new and old images is turned on; an imported table must bring
            its stream's ARN.
        parallelization_factor
            Batches at once from one shard, 1 to 10. Default 1.
        max_record_age
            Age at which a record is kept as failed, 60 s to 23 h, since the stream keeps 24 h. Default 23 h.
        starting_position
            TRIM_HORIZON or LATEST. Default TRIM_HORIZON.
        batch_size, expected_duration, max_batching_window, tumbling_window, retry_attempts, filters
            As for `kinesis`.
        filter_encryption, on_failure
            As for `kinesis`.
        replaces_event_source
            As for `kinesis`, of `DynamoEventSource(table, …)`.
        """
        from .dynamodb import DynamoDbStreamSource

        return DynamoDbStreamSource(
            table,
            batch_size=batch_size,
            expected_duration=expected_duration,
            max_batching_window=max_batching_window,
            parallelization_factor=parallelization_factor,
            starting_position=starting_position,
            tumbling_window=tumbling_window,
            retry_attempts=retry_attempts,
            max_record_age=max_record_age,
            filters=filters,
            filter_encryption=filter_encryption,
            on_failure=on_failure,
            replaces_event_source=replaces_event_source,
        )

    @abstractmethod
    def bind(self, invocation: Buffer) -> QueueBinding | StreamBinding:
        """Make what the source needs within the invocation, and the mapping that reads from it; return both."""

    @abstractmethod
    def grant_send(self, invocation: Buffer, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to the source."""


def check_filters(invocation: Buffer, filters: Sequence[Mapping[str, Any]] | None, encryption: Key | None) -> None:
    """Refuse a key without filters, which Lambda would refuse at the deployment."""
    if encryption is not None and not filters:
        raise BreakwaterError(invocation, "filter_encryption is given without filters.", "Give filters, or no key.")
