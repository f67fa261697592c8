"""What a decoupled invocation reads from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_cdk import Duration
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

    @abstractmethod
    def bind(self, invocation: DecoupledInvocation) -> lambda_.EventSourceMapping:
        """Make what the source needs within the invocation, and the mapping that reads from it."""
