"""SQS as the source of a decoupled invocation: nothing lost, nothing throttled into the dead-letter queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import Annotations, Duration, Token
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import IValidation

from .acknowledgements import acknowledge
from .errors import BreakwaterError
from .function_concurrency import MAXIMUM, MINIMUM
from .invocation_source import InvocationSource
from .lazy import lazy_number
from .required_number import required_number

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam

    from .decoupled_invocation import DecoupledInvocation

# Source of these numbers: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS": visibility timeout at least six
# times the function's timeout plus the batching window, maxReceiveCount at least 5; batches up to 10,000, up to 10
# without a window or from a FIFO queue; windows up to 300 s. Queues keep 14 days at most (Amazon SQS Developer Guide).
_VISIBILITY_FACTOR = 6
_MINIMUM_RECEIVES = 5
_MAXIMUM_RECEIVES = 1000
_BATCH_WITHOUT_WINDOW = 10
_MAXIMUM_BATCH = 10_000
_MAXIMUM_WINDOW_SECONDS = 300
_MAXIMUM_RETENTION = Duration.days(14)
_LAMBDA_TIMEOUT_SECONDS = 3
_VISIBILITY_DEFAULT_SECONDS = 30


class SqsSource(InvocationSource):
    """See `InvocationSource.sqs`."""

    def __init__(
        self,
        queue: sqs.IQueue | None,
        *,
        fifo: bool,
        batch_size: int,
        max_batching_window: Duration | None,
        max_receive_count: int,
        content_based_deduplication: bool,
    ) -> None:
        self._queue = queue
        self._fifo = queue.fifo if queue is not None else fifo
        self._batch_size = batch_size
        self._window = max_batching_window
        self._max_receive_count = max_receive_count
        self._content_based_deduplication = content_based_deduplication

    def bind(self, invocation: DecoupledInvocation) -> lambda_.EventSourceMapping:
        """See `InvocationSource.bind`."""
        self._check_numbers(invocation)
        visibility = _VISIBILITY_FACTOR * _timeout_seconds(invocation) + self._window_seconds
        if self._queue is None:
            self._make_queue(invocation, visibility)
        else:
            invocation.queue = self._queue
            invocation.dead_letter_queue = _check_existing(invocation, self._queue, visibility)
        position = invocation.concurrency.add_mapping(
            f"MaximumConcurrency of an SQS mapping is {MINIMUM} or more", minimum=MINIMUM
        )
        invocation.maximum_concurrency = lazy_number(lambda: min(MAXIMUM, invocation.concurrency.part(position)))
        invocation.node.add_validation(_Validation(invocation, position))
        invocation.queue.grant_consume_messages(invocation.function)
        mapping = lambda_.EventSourceMapping(
            *invocation.mapping_scope(),
            target=invocation.function,
            event_source_arn=invocation.queue.queue_arn,
            batch_size=self._batch_size,
            max_batching_window=self._window,
            max_concurrency=invocation.maximum_concurrency,
            report_batch_item_failures=True,
        )
        acknowledge(
            mapping,
            "A queue's mapping has no failure destination: the queue's dead-letter queue keeps what fails.",
            "Serverless-LambdaEventSourceMappingDestination",
        )
        return mapping

    def grant_send(self, invocation: DecoupledInvocation, grantee: iam.IGrantable) -> iam.Grant:
        """See `InvocationSource.grant_send`."""
        return invocation.queue.grant_send_messages(grantee)

    @property
    def _window_seconds(self) -> int:
        return int(self._window.to_seconds()) if self._window is not None else 0

    def _check_numbers(self, invocation: DecoupledInvocation) -> None:
        batch = required_number(invocation, "batch_size", self._batch_size)
        receives = required_number(invocation, "max_receive_count", self._max_receive_count)
        if not _MINIMUM_RECEIVES <= receives <= _MAXIMUM_RECEIVES:
            raise BreakwaterError(
                invocation,
                f"max_receive_count must be {_MINIMUM_RECEIVES} to {_MAXIMUM_RECEIVES} (given {receives}).",
                "Below that, throttled receives alone send a message to the dead-letter queue untried.",
            )
        if self._window_seconds > _MAXIMUM_WINDOW_SECONDS or (self._fifo and self._window_seconds):
            raise BreakwaterError(
                invocation,
                f"max_batching_window={self._window_seconds} s is not possible here.",
                f"It is at most {_MAXIMUM_WINDOW_SECONDS} s, and a FIFO queue has none.",
            )
        largest = _MAXIMUM_BATCH if self._window_seconds else _BATCH_WITHOUT_WINDOW
        if batch > largest:
            raise BreakwaterError(
                invocation,
                f"batch_size must be 1 to {largest} (given {batch}).",
                f"More than {_BATCH_WITHOUT_WINDOW} records need a standard queue and a max_batching_window.",
            )

    def _make_queue(self, invocation: DecoupledInvocation, visibility: int) -> None:
        fifo = True if self._fifo else None  # CloudFormation refuses an explicit false
        dead_letter_queue = sqs.Queue(
            invocation,
            "DeadLetterQueue",
            fifo=fifo,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=_MAXIMUM_RETENTION,
        )
        acknowledge(
            dead_letter_queue,
            "It is the dead-letter queue itself.",
            "AwsSolutions-SQS3",
            "Serverless-SQSRedrivePolicy",
        )
        invocation.dead_letter_queue = dead_letter_queue
        invocation.queue = sqs.Queue(
            invocation,
            "Queue",
            fifo=fifo,
            content_based_deduplication=True if self._content_based_deduplication else None,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(visibility),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letter_queue, max_receive_count=self._max_receive_count),
        )


def _timeout_seconds(invocation: DecoupledInvocation) -> int:
    timeout = getattr(invocation.function, "timeout", None)
    resource: Any = invocation.function.node.default_child
    if timeout is None and resource is None:
        raise BreakwaterError(
            invocation,
            f"the timeout of {invocation.function.node.path} is unknown, since it is imported.",
            "Create the decoupled invocation in the function's app.",
        )
    if timeout is not None and timeout.is_unresolved():
        raise BreakwaterError(invocation, "the function's timeout is a token.", "Give it a plain Duration.")
    return _LAMBDA_TIMEOUT_SECONDS if timeout is None else int(timeout.to_seconds())


def _check_existing(invocation: DecoupledInvocation, queue: sqs.IQueue, visibility: int) -> sqs.IQueue | None:
    resource: Any = queue.node.default_child
    if resource is None:
        Annotations.of(invocation).add_warning_v2(
            "cdk-breakwater:imported-queue",
            f"{queue.node.path} is imported, so nothing here can check it: its visibility timeout must be at least "
            f"{visibility} s, and it needs a dead-letter queue with maxReceiveCount of {_MINIMUM_RECEIVES} or more.",
        )
        return None
    given = resource.visibility_timeout
    given = _VISIBILITY_DEFAULT_SECONDS if given is None else given
    if not Token.is_unresolved(given) and given < visibility:
        raise BreakwaterError(
            invocation,
            f"the visibility timeout of {queue.node.path} is {int(given)} s, below 6 x the function's timeout plus the "
            "batching window: messages would be delivered twice.",
            f"Set visibility_timeout=Duration.seconds({visibility}) or more.",
        )
    redrive = queue.dead_letter_queue  # type: ignore[attr-defined]
    if redrive is None:
        raise BreakwaterError(
            invocation,
            f"{queue.node.path} has no dead-letter queue, so a bad message is retried until it expires, then lost.",
            f"Give it dead_letter_queue=sqs.DeadLetterQueue(queue=…, max_receive_count={_MINIMUM_RECEIVES}).",
        )
    if not Token.is_unresolved(redrive.max_receive_count) and redrive.max_receive_count < _MINIMUM_RECEIVES:
        raise BreakwaterError(
            invocation,
            f"max_receive_count of {queue.node.path} is {int(redrive.max_receive_count)}: throttled receives alone "
            "send a message to the dead-letter queue untried.",
            f"Set max_receive_count={_MINIMUM_RECEIVES} or more.",
        )
    return redrive.queue


@jsii.implements(IValidation)
class _Validation:
    def __init__(self, invocation: DecoupledInvocation, position: int) -> None:
        self._invocation = invocation
        self._position = position

    def validate(self) -> list[str]:
        part = self._invocation.concurrency.part(self._position)
        if part > MAXIMUM:
            Annotations.of(self._invocation).add_info(
                f"MaximumConcurrency is {MAXIMUM}, the most that SQS allows, where the function's share grants {part}."
            )
        return []
