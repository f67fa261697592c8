"""The alarms and widgets of a decoupled invocation, by the kind of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..monitoring.alarms import make_alarms
from ..monitoring.function_errors import errors_alarm
from .binding import QueueBinding
from .queue_alarms import queue_alarms, queue_widgets
from .stream_alarms import stream_alarms, stream_widgets

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from constructs import Construct

    from ..monitoring.alarm_target import AlarmTarget
    from .buffer import Buffer


def source_alarms(invocation: Buffer, topic_or_action: AlarmTarget | None) -> list[cloudwatch.Alarm]:
    """Make the alarms of an invocation; see `DecoupledInvocation.alarms`."""

    def make(scope: Construct) -> list[cloudwatch.Alarm]:
        errors = errors_alarm(scope, invocation.function)
        if invocation.failures_function is not None:
            errors += errors_alarm(scope, invocation.failures_function, id="FailuresErrors")
        if isinstance(invocation.binding, QueueBinding):
            return [*queue_alarms(scope, invocation, invocation.binding), *errors]
        return [*stream_alarms(scope, invocation), *errors]

    # Beside the mapping, which may stand in the function's stack: they watch the mapping's and the function's metrics.
    mapping = cast("Construct", invocation.event_source_mapping)
    return make_alarms(invocation, make, topic_or_action, beside=mapping)


def source_widgets(invocation: Buffer) -> list[cloudwatch.IWidget]:
    """Return the widgets of an invocation; see `DecoupledInvocation.widgets`."""
    reads_queue = isinstance(invocation.binding, QueueBinding)
    return queue_widgets(invocation) if reads_queue else stream_widgets(invocation)
