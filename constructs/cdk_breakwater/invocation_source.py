"""What a decoupled invocation reads from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import Duration
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs

    from .decoupled_invocation import DecoupledInvocation


class InvocationSource(ABC):
    """A queue or stream between the senders and the function; made with one of the static methods."""

    @staticmethod
    def sqs(
        queue: sqs.IQueue | None = None,
        *,
        fifo: bool = False,
        batch_size: int = 10,
        max_batching_window: Duration | None = None,
        max_receive_count: int = 5,
        content_based_deduplication: bool = False,
    ) -> InvocationSource:
        """Read from an SQS queue.

        Parameters
        ----------
        queue
            An existing queue. Default: an encrypted one of its own, with a dead-letter queue.
        fifo
            Make a FIFO queue. An existing queue tells by itself.
        batch_size
            Records per invocation: 1 to 10, or to 10,000 for a standard queue with a batching window. Default 10.
        max_batching_window
            How long Lambda gathers a batch, up to 300 s. Standard queues only. Default: not at all.
        max_receive_count
            Receives before a message goes to the dead-letter queue, 5 to 1,000. Below 5, throttled receives alone can
            send a message there untried (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"). Default 5.
        content_based_deduplication
            Deduplicate a FIFO queue of its own by the message's body. Default False.
        """
        from .sqs_source import SqsSource

        return SqsSource(
            queue,
            fifo=fifo,
            batch_size=batch_size,
            max_batching_window=max_batching_window,
            max_receive_count=max_receive_count,
            content_based_deduplication=content_based_deduplication,
        )

    @staticmethod
    def kinesis(
        stream: kinesis.IStream | None = None,
        *,
        shard_count: int | None = None,
        batch_size: int = 100,
        max_batching_window: Duration | None = None,
        parallelization_factor: int | None = None,
        starting_position: lambda_.StartingPosition | None = None,
        tumbling_window: Duration | None = None,
        retry_attempts: int = 10,
        max_record_age: Duration | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
        filter_encryption: kms.IKey | None = None,
        on_failure: lambda_.IEventSourceDlq | None = None,
    ) -> InvocationSource:
        """Read from a Kinesis data stream.

        Shards x parallelization factor run at once, so the function's share must be at least the number of shards.

        Parameters
        ----------
        stream
            An existing stream. Default: an encrypted one of its own.
        shard_count
            Shards of a stream of its own. Default: on demand; their number is unknown then, and the function's
            reserved concurrency alone limits the invocations.
        batch_size
            Records per invocation, 1 to 10,000. Default 100.
        max_batching_window
            How long Lambda gathers a batch, up to 300 s. Default: not at all.
        parallelization_factor
            Batches at once from one shard, 1 to 10. Default: the largest that the share allows; 1 where the number of
            shards is unknown, and with a tumbling window.
        starting_position
            TRIM_HORIZON or LATEST. Default TRIM_HORIZON, so that nothing sent during a deployment is missed.
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
        on_failure
            Where failed records are kept. Only `S3OnFailureDestination` keeps the payload; `SqsDlq` and `SnsDlq` keep a
            pointer that ends with the stream's retention. Default: an encrypted bucket of its own that keeps them for
            90 days.
        """
        from .kinesis_source import KinesisSource

        return KinesisSource(
            stream,
            shard_count=shard_count,
            batch_size=batch_size,
            max_batching_window=max_batching_window,
            parallelization_factor=parallelization_factor,
            starting_position=starting_position,
            tumbling_window=tumbling_window,
            retry_attempts=retry_attempts,
            max_record_age=max_record_age,
            filters=filters,
            filter_encryption=filter_encryption,
            on_failure=on_failure,
        )

    @staticmethod
    def dynamodb_stream(
        table: dynamodb.ITable | dynamodb.ITableV2,
        *,
        batch_size: int = 100,
        max_batching_window: Duration | None = None,
        parallelization_factor: int | None = None,
        starting_position: lambda_.StartingPosition | None = None,
        tumbling_window: Duration | None = None,
        retry_attempts: int = 10,
        max_record_age: Duration | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
        filter_encryption: kms.IKey | None = None,
        on_failure: lambda_.IEventSourceDlq | None = None,
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
        batch_size, max_batching_window, starting_position, tumbling_window, retry_attempts, filters
            As for `kinesis`.
        filter_encryption, on_failure
            As for `kinesis`.
        """
        from .dynamodb_stream_source import DynamoDbStreamSource

        return DynamoDbStreamSource(
            table,
            batch_size=batch_size,
            max_batching_window=max_batching_window,
            parallelization_factor=parallelization_factor,
            starting_position=starting_position,
            tumbling_window=tumbling_window,
            retry_attempts=retry_attempts,
            max_record_age=max_record_age,
            filters=filters,
            filter_encryption=filter_encryption,
            on_failure=on_failure,
        )

    @abstractmethod
    def bind(self, invocation: DecoupledInvocation) -> lambda_.EventSourceMapping:
        """Make what the source needs within the invocation, and the mapping that reads from it."""

    @abstractmethod
    def grant_send(self, invocation: DecoupledInvocation, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to the source."""
