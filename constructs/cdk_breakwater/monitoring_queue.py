"""What a queue before a function shows and when it calls for help: its age against its drain time at full share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch

from .dead_letter_alarm import make_dead_letter_alarm
from .lazy import lazy_string
from .monitoring import ABOVE, PERIOD, graph, make_alarm
from .qualified_function import unqualified

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs
    from constructs import Construct

    from .decoupled_invocation import DecoupledInvocation
    from .sqs_source import SqsSource

# A message received three times no longer counts as the oldest. Source: Amazon SQS Developer Guide, "Available
# CloudWatch metrics for Amazon SQS", ApproximateAgeOfOldestMessage.
_COUNTED_RECEIVES = 3
_LONG = 5
"""Minutes."""
# What CloudFormation and Lambda fill in. Sources: CloudFormation Template Reference, AWS::SQS::Queue; AWS Lambda API
# Reference, CreateFunction.
_DEFAULT_RETENTION = 345_600
_DEFAULT_VISIBILITY = 30
_DEFAULT_TIMEOUT = 3


def queue_alarms(scope: Construct, invocation: DecoupledInvocation, source: SqsSource) -> list[cloudwatch.Alarm]:
    """Make the alarms of a queue, and add the one on the dead-letter queue."""
    path = invocation.node.path
    attempts = _COUNTED_RECEIVES * _visibility(invocation)
    alarms = [
        make_alarm(
            scope,
            "Backlog",
            cloudwatch.MathExpression(
                expression=f"age - visible * {_seconds_per_message(invocation)}",
                using_metrics={"age": _age(invocation.queue), "visible": _visible(invocation.queue)},
                label="age beyond the drain time",
                period=PERIOD,
            ),
            threshold=attempts,
            comparison_operator=ABOVE,
            minutes=_LONG,
            description=f"The oldest message of {path} waits for longer than the backlog takes at the function's full "
            f"share, even were every batch to last until its timeout, and than {_COUNTED_RECEIVES} attempts take: the "
            "function fails, is throttled, or its event source mapping is off.",
        )
    ]
    retention = _retention(invocation.queue)
    if retention is not None:
        alarms.append(
            make_alarm(
                scope,
                "Retention",
                _age(invocation.queue),
                threshold=retention / 2,
                description=f"The oldest message of {path} has waited for half of the {retention / 86_400:g} days that "
                "the queue keeps it. More comes than the share takes: raise it, or the retention period.",
            )
        )
    if invocation.dead_letter_alarm is not None:
        alarms.append(invocation.dead_letter_alarm)
    elif invocation.dead_letter_queue is not None and source.wants_dead_letter_alarm:
        alarms.append(make_dead_letter_alarm(invocation, invocation.dead_letter_queue))
    return alarms


def queue_widgets(invocation: DecoupledInvocation) -> list[cloudwatch.IWidget]:
    """Return the widgets of a queue."""
    path = invocation.node.path
    queue, dead = invocation.queue, invocation.dead_letter_queue
    drain = cloudwatch.MathExpression(
        expression=f"visible * {_seconds_per_message(invocation)}",
        using_metrics={"visible": _visible(queue)},
        label="drain time at full share, at most",
        period=PERIOD,
    )
    retention = _retention(queue)
    return [
        graph(
            f"{path}: messages",
            [
                _visible(queue),
                queue.metric_approximate_number_of_messages_not_visible(
                    statistic="max", period=PERIOD, label="in flight"
                ),
            ],
            right=[] if dead is None else [_visible(dead, "dead letters")],
            right_unit="dead letters",
        ),
        graph(
            f"{path}: age",
            [_age(queue), drain],
            limits=[] if retention is None else [("half of the retention", retention / 2)],
            unit="s",
        ),
    ]


def _age(queue: sqs.IQueue) -> cloudwatch.Metric:
    return queue.metric_approximate_age_of_oldest_message(statistic="max", period=PERIOD, label="oldest message")


def _visible(queue: sqs.IQueue, label: str = "waiting") -> cloudwatch.Metric:
    return queue.metric_approximate_number_of_messages_visible(statistic="max", period=PERIOD, label=label)


def _seconds_per_message(invocation: DecoupledInvocation) -> str:
    """Return the timeout over what is under way at once: the slowest that a full share drains a backlog."""
    batch = _batch(invocation).batch_size

    def seconds() -> str:
        concurrency = Stack.of(invocation).resolve(invocation.maximum_concurrency)
        return f"{_timeout(invocation) / (batch * max(1, concurrency)):.6g}"

    return lazy_string(seconds)


def _timeout(invocation: DecoupledInvocation) -> int:
    timeout = getattr(unqualified(invocation.function), "timeout", None)
    return _DEFAULT_TIMEOUT if timeout is None else int(timeout.to_seconds())


def _batch(invocation: DecoupledInvocation) -> Any:
    return invocation.event_source_mapping.node.default_child


def _visibility(invocation: DecoupledInvocation) -> int:
    given = _seconds(invocation.queue, "visibility_timeout", _DEFAULT_VISIBILITY)
    if given is not None:
        return given
    return 6 * _timeout(invocation) + int(_batch(invocation).maximum_batching_window_in_seconds or 0)


def _retention(queue: sqs.IQueue) -> int | None:
    return _seconds(queue, "message_retention_period", _DEFAULT_RETENTION)


def _seconds(queue: sqs.IQueue, name: str, default: int) -> int | None:
    """Return a time of a queue of this app; None for an imported one's, and for a token."""
    resource = queue.node.default_child
    if resource is None:
        return None
    given = getattr(resource, name)
    if given is None:
        return default
    return None if Token.is_unresolved(given) else int(given)
