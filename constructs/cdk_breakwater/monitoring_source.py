"""The alarms and widgets of a decoupled invocation, by the kind of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from .monitoring import make_alarms
from .monitoring_queue import queue_alarms, queue_widgets
from .monitoring_stream import stream_alarms, stream_widgets

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from constructs import Construct

    from .decoupled_invocation import DecoupledInvocation
    from .invocation_source import InvocationSource
    from .monitoring_action import AlarmTarget
    from .sqs_source import SqsSource


def source_alarms(
    invocation: DecoupledInvocation,
    source: InvocationSource,
    topic_or_action: AlarmTarget | None,
) -> list[cloudwatch.Alarm]:
    """Make the alarms of an invocation; see `DecoupledInvocation.alarms`."""

    def make(scope: Construct) -> list[cloudwatch.Alarm]:
        if _reads_queue(invocation):
            return queue_alarms(scope, invocation, cast("SqsSource", source))
        return stream_alarms(scope, invocation)

    # Beside the mapping, which may stand in the function's stack: they watch the mapping's and the function's metrics.
    mapping = cast("Construct", invocation.event_source_mapping)
    return make_alarms(invocation, make, topic_or_action, beside=mapping)


def source_widgets(invocation: DecoupledInvocation) -> list[cloudwatch.IWidget]:
    """Return the widgets of an invocation; see `DecoupledInvocation.widgets`."""
    return queue_widgets(invocation) if _reads_queue(invocation) else stream_widgets(invocation)


def _reads_queue(invocation: DecoupledInvocation) -> bool:
    return hasattr(invocation, "queue")
