"""SQS as the source of a decoupled invocation: nothing lost, nothing throttled into the dead-letter queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations, Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from .._cdk.arguments import DURATION, FILTERS, FLAG, KEY, SECONDS, having, require
from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_number
from .._cdk.nag import acknowledge
from .._cdk.queue_retention import MAXIMUM_RETENTION
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.sqs import (
    MAXIMUM_BATCH,
    MAXIMUM_BATCH_WITHOUT_WINDOW,
    MAXIMUM_CONCURRENCY,
    MAXIMUM_RECEIVES,
    MAXIMUM_WINDOW_SECONDS,
    MINIMUM_CONCURRENCY,
    MINIMUM_RECEIVES,
)
from ..limits.visibility_factor import VISIBILITY_FACTOR
from .batch_size import LateFit, fitting_batch_size
from .binding import QueueBinding
from .dead_letter_alarm import make_dead_letter_alarm
from .existing_queue import ExistingQueue
from .function_timeout import timeout_seconds
from .queue_validation import QueueValidation, visibility_seconds
from .source import InvocationSource, check_filters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms

    from .._cdk.parameter_types import Key
    from .buffer import Buffer

_KINDS = {
    "queue": having("queue_arn", "an sqs.Queue, or an imported one"),
    "fifo": FLAG,
    "expected_duration": DURATION,
    "max_batching_window": SECONDS,
    "content_based_deduplication": FLAG,
    "encryption_key": KEY,
    "filters": FILTERS,
    "filter_encryption": KEY,
    "dead_letter_alarm": FLAG,
    "replaces_event_source": FLAG,
}


class SqsSource(InvocationSource):
    """See `InvocationSource.sqs`."""

    def __init__(
        self,
        queue: sqs.IQueue | None,
        *,
        fifo: bool,
        batch_size: int | None,
        expected_duration: Duration | None,
        max_batching_window: Duration | None,
        max_receive_count: int | None,
        content_based_deduplication: bool,
        encryption_key: Key | None,
        filters: Sequence[Mapping[str, Any]] | None,
        filter_encryption: Key | None,
        dead_letter_alarm: bool | None,
        replaces_event_source: bool,
        **exceptions: str | None,
    ) -> None:
        self._queue = queue
        self._fifo = fifo
        self._batch_size = batch_size
        self._expected_duration = expected_duration
        self._max_batching_window = max_batching_window
        self._max_receive_count = MINIMUM_RECEIVES if max_receive_count is None else max_receive_count
        self._content_based_deduplication = content_based_deduplication
        self._encryption_key = cast("kms.IKey | None", encryption_key)
        self._filters = filters
        self._filter_encryption = cast("kms.IKey | None", filter_encryption)
        self._dead_letter_alarm = dead_letter_alarm
        self._replaces_event_source = replaces_event_source
        self._exceptions = exceptions
        self._of_its_own = {
            "fifo": fifo and not (queue is not None and queue.fifo),
            "max_receive_count": max_receive_count is not None,
            "content_based_deduplication": content_based_deduplication,
            "encryption_key": encryption_key is not None,
            "dead_letter_alarm": dead_letter_alarm is not None,
        }

    def bind(self, invocation: Buffer) -> QueueBinding:
        """See `InvocationSource.bind`."""
        require(invocation, {name: getattr(self, f"_{name}") for name in _KINDS}, _KINDS)
        self._check_options(invocation)
        self._check_numbers(invocation)
        timeout = timeout_seconds(invocation, "the queue's visibility timeout follows from it")
        visibility = VISIBILITY_FACTOR * timeout + self._window_seconds
        replaced: str | None = None
        if self._queue is None:
            queue, dead_letter_queue = self._make_queues(invocation, visibility)
        else:
            queue = self._queue
            dead_letter_queue = ExistingQueue(queue, self._exceptions).check(invocation, visibility)
            if self._replaces_event_source:
                replaced = invocation.replaced_event_source("SqsEventSource", queue)
        position = invocation.concurrency.add_mapping(
            f"MaximumConcurrency of an SQS mapping is {MINIMUM_CONCURRENCY} or more", minimum=MINIMUM_CONCURRENCY
        )
        maximum_concurrency = lazy_number(lambda: min(MAXIMUM_CONCURRENCY, invocation.concurrency.part(position)))
        queue.grant_consume_messages(invocation.function)
        mapping = lambda_.EventSourceMapping(
            *invocation.mapping_scope(replaced),
            target=invocation.function,
            event_source_arn=queue.queue_arn,
            batch_size=self._fitting_batch_size(invocation, timeout),
            max_batching_window=self._max_batching_window,
            max_concurrency=maximum_concurrency,
            report_batch_item_failures=True,
            filters=self._filters,
            filter_encryption=self._filter_encryption,
        )
        resource = cast("lambda_.CfnEventSourceMapping", mapping.node.default_child)
        invocation.concurrency.follow(position, resource)
        validate_at_synth(
            invocation,
            QueueValidation(
                invocation,
                mapping=resource,
                queue=queue.node.default_child,
                position=position,
                visibility=visibility,
                window=self._window_seconds,
                fit=LateFit(invocation, resource, self._expected_duration),
                excepted=frozenset(name for name, reason in self._exceptions.items() if reason is not None),
            ).errors,
        )
        acknowledge(
            mapping,
            "A queue's mapping has no failure destination: the queue's dead-letter queue keeps what fails.",
            "Serverless-LambdaEventSourceMappingDestination",
        )
        return QueueBinding(
            mapping, maximum_concurrency, queue, dead_letter_queue, wants_dead_letter_alarm=self._wants_alarm
        )

    def grant_send(self, invocation: Buffer, grantee: iam.IGrantable) -> iam.Grant:
        """See `InvocationSource.grant_send`."""
        return invocation.queue.grant_send_messages(grantee)

    @property
    def _wants_alarm(self) -> bool:
        return self._dead_letter_alarm is not False

    @property
    def _window_seconds(self) -> int:
        return int(self._max_batching_window.to_seconds()) if self._max_batching_window is not None else 0

    @property
    def _is_fifo(self) -> bool:
        return self._fifo if self._queue is None else self._queue.fifo

    def _check_options(self, invocation: Buffer) -> None:
        check_filters(invocation, self._filters, self._filter_encryption)
        if self._queue is not None:
            given = [name for name, is_given in self._of_its_own.items() if is_given]
            remedy = f"It is for a new queue. Set it on {self._queue.node.path}."
        else:
            given = [name for name, reason in self._exceptions.items() if reason is not None]
            given += ["replaces_event_source"] if self._replaces_event_source else []
            remedy = "It is for an existing queue. A new queue breaks no rule."
            if self._content_based_deduplication and not self._is_fifo:
                raise BreakwaterError(invocation, "content_based_deduplication needs fifo=True.", "")
        if given:
            raise BreakwaterError(invocation, f"{given[0]} has no effect here.", remedy)

    def _check_numbers(self, invocation: Buffer) -> None:
        receives = required_number(invocation, "max_receive_count", self._max_receive_count)
        if not MINIMUM_RECEIVES <= receives <= MAXIMUM_RECEIVES:
            raise BreakwaterError(
                invocation,
                f"max_receive_count must be {MINIMUM_RECEIVES} to {MAXIMUM_RECEIVES} (given {receives}).",
                "Below that, throttled receives alone send a message to the dead-letter queue without processing.",
            )
        if self._window_seconds > MAXIMUM_WINDOW_SECONDS or (self._is_fifo and self._window_seconds):
            raise BreakwaterError(
                invocation,
                f"max_batching_window={self._window_seconds} s is not possible here.",
                f"It is at most {MAXIMUM_WINDOW_SECONDS} s, and a FIFO queue has none.",
            )
        if self._batch_size is not None:
            batch = required_number(invocation, "batch_size", self._batch_size)
            if batch > self._largest_batch:
                raise BreakwaterError(
                    invocation,
                    f"batch_size must be 1 to {self._largest_batch} (given {batch}).",
                    f"More than {MAXIMUM_BATCH_WITHOUT_WINDOW} need a standard queue and a max_batching_window.",
                )

    @property
    def _largest_batch(self) -> int:
        return MAXIMUM_BATCH if self._window_seconds else MAXIMUM_BATCH_WITHOUT_WINDOW

    def _fitting_batch_size(self, invocation: Buffer, timeout: int) -> int:
        """Return a size at which no message spends a receive without being begun."""
        if self._batch_size is None and self._expected_duration is None and not self._is_fifo:
            self._say_why_one(invocation)
        return fitting_batch_size(
            invocation,
            given=self._batch_size,
            expected_duration=self._expected_duration,
            timeout=timeout,
            # A message behind a failing one of its group is received with it, again and again, and both run out of
            # receives together: the good one would be set aside untried.
            largest=1 if self._is_fifo else self._largest_batch,
            unknown=1,
        )

    def _say_why_one(self, invocation: Buffer) -> None:
        remedy = "Pass expected_duration=Duration… or batch_size=… for larger batches"
        if self._window_seconds:
            Annotations.of(invocation).add_warning_v2(
                "cdk-breakwater:batch-size",
                f"max_batching_window={self._window_seconds} s has no effect, because BatchSize is 1 as long as it "
                f"is not known how long a message takes. {remedy}.",
            )
            return
        Annotations.of(invocation).add_info_v2(
            "cdk-breakwater:batch-size",
            "BatchSize is 1: it is not known how long a message takes. In a larger batch, a message that the "
            f"function has no time to begin would still use up a receive. {remedy}, which cost fewer invocations.",
        )

    def _make_queues(self, invocation: Buffer, visibility: int) -> tuple[sqs.IQueue, sqs.IQueue]:
        fifo = True if self._is_fifo else None  # CloudFormation refuses an explicit false
        encryption = sqs.QueueEncryption.KMS if self._encryption_key is not None else sqs.QueueEncryption.SQS_MANAGED
        dead_letter_queue = sqs.Queue(
            invocation,
            "DeadLetterQueue",
            fifo=fifo,
            encryption=encryption,
            encryption_master_key=self._encryption_key,
            enforce_ssl=True,
            retention_period=MAXIMUM_RETENTION,
        )
        acknowledge(
            dead_letter_queue,
            "It is the dead-letter queue itself.",
            "AwsSolutions-SQS3",
            "Serverless-SQSRedrivePolicy",
        )
        queue = sqs.Queue(
            invocation,
            "Queue",
            fifo=fifo,
            content_based_deduplication=True if self._content_based_deduplication else None,
            encryption=encryption,
            encryption_master_key=self._encryption_key,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(visibility),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letter_queue, max_receive_count=self._max_receive_count),
        )
        resource: Any = queue.node.default_child
        resource.visibility_timeout = lazy_number(
            lambda: visibility_seconds(invocation, self._window_seconds) or visibility
        )
        if self._wants_alarm:
            make_dead_letter_alarm(invocation, dead_letter_queue)
        return queue, dead_letter_queue
