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
    """A queue or stream between the senders and the function, created with one of the static methods."""

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
            An existing queue. Default: a new, encrypted queue with a dead-letter queue.
        fifo
            Whether to create a FIFO queue. For an existing queue, it is read from the queue.
        batch_size
            Records per invocation: 1 to 10, or up to 10,000 for a standard queue with a batching window. Default: a
            third of the function's timeout divided by `expected_duration`. Without a duration, the default is 1,
            because a message that is received but not begun has used up a receive. For a FIFO queue, the default is 1:
            messages behind a failing message would be received with it, use up their receives, and reach the
            dead-letter queue without having been processed.
        expected_duration
            Average time to process one message. Default: unknown.
        max_batching_window
            How long Lambda waits to fill a batch, up to 300 s. Standard queues only. Default: Lambda doesn't wait.
        max_receive_count
            Receives before a message goes to the dead-letter queue, 5 to 1,000. Below 5, throttled receives alone can
            send a message there without processing (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS").
            Default 5.
        content_based_deduplication
            Whether a new FIFO queue deduplicates by the message's body. Default False.
        encryption_key
            KMS key that encrypts a new queue and its dead-letter queue. Default: SQS-managed encryption.
        filters
            Patterns made with `lambda_.FilterCriteria.filter`. Lambda deletes messages that match none of them.
            Default: every message.
        filter_encryption
            KMS key that encrypts the filters. Default: a key that Lambda owns.
        dead_letter_alarm
            Whether a new dead-letter queue gets an alarm. The alarm has no action, and is in ALARM state while there is
            a message in the queue. Default True.
        replaces_event_source
            Whether the event source mapping replaces that of `function.add_event_source(SqsEventSource(queue))`, which
            you remove. The mapping keeps its logical id and is updated in place. Lambda would refuse a new mapping
            beside the old one. Default False.
        acknowledge_visibility_timeout, acknowledge_dead_letter_queue, acknowledge_dead_letter_retention
            The reason why an existing queue is right as it is, although its visibility timeout is too short, its
            dead-letter queue is missing or gets messages after fewer than 5 receives, or its dead-letter queue keeps
            messages no longer than the queue itself. `DownstreamChecks` uses it as the reason of the acknowledgement.
            Default: such a queue is refused.
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

        The number of shards times the parallelization factor run at once, so the function's share must be at least the
        number of shards.

        Parameters
        ----------
        stream
            An existing stream. Default: a new, encrypted stream.
        shard_count
            Number of shards of a new or an imported stream. Default: on-demand mode. The number of shards is then
            unknown, and only the function's reserved concurrency limits the invocations.
        consumer
            "shared" polls once a second, and divides the 2 MB/s of each shard with all other shared readers. "enhanced"
            registers a consumer with 2 MB/s of its own (enhanced fan-out, at a price per hour). Or pass an existing
            consumer, without `stream`. Default "shared".
        batch_size
            Records per invocation, 1 to 10,000. Default: a third of the function's timeout divided by
            `expected_duration`, at most 100. Without a duration, the default is 6 and at most `retry_attempts`, so that
            a batch that outlasts the timeout is complete before its retries are used up.
        expected_duration
            Average time to process one record. Default: unknown.
        max_batching_window
            How long Lambda waits to fill a batch, up to 300 s. Default: Lambda doesn't wait.
        parallelization_factor
            Batches from one shard at the same time, 1 to 10. Default: the largest number that the share allows. It is 1
            if the number of shards is unknown, and with a tumbling window.
        starting_position
            TRIM_HORIZON, LATEST or AT_TIMESTAMP. Default TRIM_HORIZON, so that nothing sent during a deployment is
            missed. With an existing stream, that is everything that the stream keeps, and a warning asks you to choose.
        starting_position_timestamp
            The time for AT_TIMESTAMP, with a time zone.
        tumbling_window
            Length of the tumbling window, for which Lambda keeps state, 1 to 900 s. Default: none.
        retry_attempts
            Retries of a batch before its records are stored as failed, 0 to 10,000. Default 10. Invocations that wait
            for the database until shortly before their timeout then outlast a failover of one to two minutes, and a bad
            record blocks its shard for only ten short attempts.
        max_record_age
            Age at which a record is stored as failed, 60 s to 7 days, and at least an hour below the stream's
            retention. A new stream gets a retention that fits. Default: an hour below the retention, at most 7 days.
        filters
            Patterns made with `lambda_.FilterCriteria.filter`. Default: every record.
        filter_encryption
            KMS key that encrypts the filters. Default: a key that Lambda owns.
        encryption_key
            KMS key that encrypts a new stream, and the bucket of failed records. Default: the keys of Kinesis and S3.
        on_failure
            Where failed records are stored. Only `S3OnFailureDestination` stores the payload. `SqsDlq` and `SnsDlq`
            store a pointer, which becomes invalid when the stream's retention ends. Default: a new, encrypted bucket
            that keeps them for 90 days.
        replaces_event_source
            Whether the event source mapping replaces that of `function.add_event_source(KinesisEventSource(stream,
            …))`, which you remove. The mapping keeps its logical id and is updated in place. Pass the same
            `starting_position` and `batch_size` as before. Default False.
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

        The number of shards is unknown at synth, so only the function's reserved concurrency limits the invocations.

        Parameters
        ----------
        table
            The table. If it has no stream, a stream with new and old images is turned on. An imported table needs the
            ARN of its stream.
        parallelization_factor
            Batches from one shard at the same time, 1 to 10. Default 1.
        max_record_age
            Age at which a record is stored as failed, 60 s to 23 h, because the stream keeps records for 24 h. Default
            23 h.
        starting_position
            TRIM_HORIZON or LATEST. Default TRIM_HORIZON.
        batch_size, expected_duration, max_batching_window, tumbling_window, retry_attempts, filters
            As for `kinesis`.
        filter_encryption, on_failure
            As for `kinesis`.
        replaces_event_source
            As for `kinesis`, with `DynamoEventSource(table, …)`.
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
        """Create what the source needs, and the event source mapping that reads it; return both."""

    @abstractmethod
    def grant_send(self, invocation: Buffer, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to the source."""


def check_filters(invocation: Buffer, filters: Sequence[Mapping[str, Any]] | None, encryption: Key | None) -> None:
    """Refuse a key without filters, because Lambda would refuse it at deployment."""
    if encryption is not None and not filters:
        raise BreakwaterError(invocation, "filter_encryption is given without filters.", "Give filters, or no key.")
