"""Alarms and widgets of a queue: the work that is done, compared with what the full share could do."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from .._cdk.function_qualifiers import unqualified
from .._cdk.lazy import lazy_number, lazy_string
from .._cdk.queue_retention import retention_seconds
from ..monitoring.alarms import BELOW, PERIOD, graph, make_alarm
from .dead_letter_alarm import make_dead_letter_alarm
from .function_timeout import timeout_seconds

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs
    from constructs import Construct

    from .binding import QueueBinding
    from .buffer import Buffer

_SHORTEST_WINDOW = 300
_STUCK = 5
"""Minutes. What a failing or throttled function cannot note goes on to the dead-letter queue after five tries."""


def queue_alarms(scope: Construct, invocation: Buffer, binding: QueueBinding) -> list[cloudwatch.Alarm]:
    """Make the alarms of a queue, and add the one on the dead-letter queue."""
    alarms = [_stalled(scope, invocation)]
    retention = retention_seconds(binding.queue)
    if retention is not None:
        alarms.append(_too_old(scope, invocation, retention))
    if invocation.failures_queue is not None:
        alarms.append(_stuck(scope, invocation, invocation.failures_queue))
    dead = binding.dead_letter_queue
    if invocation.dead_letter_alarm is None and dead is not None and binding.wants_dead_letter_alarm:
        make_dead_letter_alarm(invocation, dead)
    return alarms if invocation.dead_letter_alarm is None else [*alarms, invocation.dead_letter_alarm]


def _stalled(scope: Construct, invocation: Buffer) -> cloudwatch.Alarm:
    """Compare what left the queue with what a full share does at its slowest, while there is enough for all to do."""
    queue = invocation.queue
    window = window_seconds(_timeout(invocation))
    period = Duration.seconds(window)

    def least() -> int:
        # Messages of a FIFO queue may all be of one group, which is worked on one invocation at a time.
        invocations = 1 if queue.fifo else _concurrency(invocation)
        return least_done(invocations, _timeout(invocation), window)

    return make_alarm(
        scope,
        "Stalled",
        cloudwatch.MathExpression(
            expression=f"IF(waiting >= {lazy_string(lambda: str(_at_once(invocation)))}, FILL(done, 0), "
            f"{lazy_string(lambda: str(least()))})",
            using_metrics={
                "waiting": queue.metric_approximate_number_of_messages_visible(statistic="min", period=period),
                "done": queue.metric_number_of_messages_deleted(statistic="sum", period=period),
            },
            label="done while others wait",
            period=period,
        ),
        threshold=lazy_number(least),
        comparison_operator=BELOW,
        description=lazy_string(
            lambda: (
                f"Messages of {invocation.node.path} are waiting, and fewer than {least()} were processed in "
                f"{window // 60} minutes. That is half of what the function processes even if each invocation lasts "
                "until its timeout and processes one message. The function fails or is throttled, or its event source "
                "mapping is disabled."
            )
        ),
    )


def _too_old(scope: Construct, invocation: Buffer, retention: int) -> cloudwatch.Alarm:
    return make_alarm(
        scope,
        "Age",
        cloudwatch.MathExpression(
            expression=f"age + {_drain(invocation)}",
            using_metrics={"age": _age(invocation.queue), **_drain_metrics(invocation)},
            label="age once the backlog is done",
            period=PERIOD,
        ),
        threshold=retention / 2,
        description=f"By the time all messages in {invocation.node.path} are processed at the function's full share, "
        f"the oldest of them will be as old as half of the {retention / 86_400:g} days for which the queue keeps "
        "them. More messages arrive than the share can process: raise the share, or the retention period.",
    )


def _stuck(scope: Construct, invocation: Buffer, failures: sqs.IQueue) -> cloudwatch.Alarm:
    # Not their age: SQS leaves out what was received three times. Source: Amazon SQS Developer Guide, "Available
    # CloudWatch metrics for Amazon SQS".
    return make_alarm(
        scope,
        "Failures",
        _waiting(failures),
        threshold=1,
        minutes=_STUCK,
        description=f"For {_STUCK} minutes, failed messages of {invocation.node.path} have waited in "
        f"{failures.node.path}, which they normally leave within seconds: its event source mapping is disabled. "
        "Callers are told that these jobs are waiting.",
    )


def queue_widgets(invocation: Buffer) -> list[cloudwatch.IWidget]:
    """Return the widgets of a queue."""
    path = invocation.node.path
    queue, dead = invocation.queue, invocation.dead_letter_queue
    in_flight = queue.metric_approximate_number_of_messages_not_visible(
        statistic="max", period=PERIOD, label="in flight"
    )
    failures = [] if invocation.failures_queue is None else [_waiting(invocation.failures_queue, "failures on the way")]
    drain = cloudwatch.MathExpression(
        expression=_drain(invocation),
        using_metrics=_drain_metrics(invocation),
        label="drain time at full share",
        period=PERIOD,
    )
    retention = retention_seconds(queue)
    return [
        graph(
            f"{path}: messages",
            [_waiting(queue), in_flight],
            right=[*failures, *([] if dead is None else [_waiting(dead, "dead letters")])],
            right_unit="dead letters",
        ),
        graph(
            f"{path}: age",
            [_age(queue), drain],
            limits=[] if retention is None else [("half of the retention", retention / 2)],
            unit="s",
        ),
    ]


def window_seconds(timeout: int) -> int:
    """Return a time in which each invocation of a full share ends at least twice."""
    return max(_SHORTEST_WINDOW, 60 * ceil(2 * timeout / 60))


def least_done(invocations: int, timeout: int, window: int) -> int:
    """Return the fewest messages that a healthy function does in a window, with so many invocations at once.

    An invocation does one message at least, since it may not begin another that would not be done in time. Half of
    that, since Lambda begins with few invocations and adds more within the first minutes (AWS Lambda Developer Guide,
    "Configuring scaling behavior for SQS").
    """
    return max(1, invocations * (window // timeout) // 2)


def _drain(invocation: Buffer) -> str:
    """Express how long the backlog takes at full share, as long as batches last now; without any, until the timeout."""
    at_once = lazy_string(lambda: str(1000 * _at_once(invocation)))
    return f"waiting * FILL(batch, {1000 * _timeout(invocation)}) / {at_once}"


def _drain_metrics(invocation: Buffer) -> dict[str, cloudwatch.IMetric]:
    batch = unqualified(invocation.function).metric_duration(statistic="avg", period=PERIOD)
    return {"waiting": _waiting(invocation.queue), "batch": batch}


def _age(queue: sqs.IQueue) -> cloudwatch.Metric:
    return queue.metric_approximate_age_of_oldest_message(statistic="max", period=PERIOD, label="oldest message")


def _waiting(queue: sqs.IQueue, label: str = "waiting") -> cloudwatch.Metric:
    return queue.metric_approximate_number_of_messages_visible(statistic="max", period=PERIOD, label=label)


def _at_once(invocation: Buffer) -> int:
    """Return the messages that a full share works on: maximum concurrency x batch size."""
    mapping: Any = invocation.event_source_mapping.node.default_child
    return max(1, int(mapping.batch_size) * _concurrency(invocation))


def _concurrency(invocation: Buffer) -> int:
    return int(Stack.of(invocation).resolve(invocation.maximum_concurrency))


def _timeout(invocation: Buffer) -> int:
    return timeout_seconds(invocation, "its alarms follow from it")
