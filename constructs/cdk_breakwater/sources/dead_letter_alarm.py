"""The alarm on a dead-letter queue: a message in there is work that nobody does any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._cdk.nag import acknowledge, compliance_rules
from ..monitoring.alarms import PERIOD, make_alarm
from .buffer import DEAD_LETTER_ALARM

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_sqs as sqs

    from .buffer import Buffer


def make_dead_letter_alarm(invocation: Buffer, dead_letter_queue: sqs.IQueue) -> cloudwatch.Alarm:
    """Make an alarm that goes off while there is a message in the dead-letter queue, with no action yet."""
    depth = dead_letter_queue.metric_approximate_number_of_messages_visible(statistic="max", period=PERIOD)
    alarm = make_alarm(
        invocation,
        DEAD_LETTER_ALARM,
        depth,
        threshold=1,
        description=f"A message failed for good. After you have fixed the cause, run: {invocation.redrive()}",
    )
    acknowledge(
        alarm,
        "The console shows the alarm. The app chooses its action, with dead_letter_alarm.add_alarm_action.",
        *compliance_rules("CloudWatchAlarmAction"),
    )
    return alarm
