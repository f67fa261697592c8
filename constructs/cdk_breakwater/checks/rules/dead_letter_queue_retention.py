"""A message in the dead-letter queue outlives the ones in its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly

# CloudFormation's default of MessageRetentionPeriod.
_FOUR_DAYS = 345_600
_DAY = 86_400


def check(assembly: Assembly) -> Iterator[Finding]:
    """Compare the retention of standard queues with that of their dead-letter queues."""
    for queue in assembly.resources("AWS::SQS::Queue"):
        dead_letters = queue.target("RedrivePolicy", "deadLetterTargetArn")
        # A FIFO queue counts anew from the move.
        if dead_letters is None or dead_letters.get("FifoQueue") in (True, "true"):
            continue
        kept = queue.number("MessageRetentionPeriod", default=_FOUR_DAYS)
        kept_dead = dead_letters.number("MessageRetentionPeriod", default=_FOUR_DAYS)
        if kept is not None and kept_dead is not None and kept_dead <= kept:
            problem = (
                f"{dead_letters.name} keeps messages for {kept_dead / _DAY:g} days, no longer than {queue.name}, whose "
                f"dead-letter queue it is ({kept / _DAY:g} days)."
            )
            yield Finding(dead_letters, "Properties.MessageRetentionPeriod", problem)


RULE = Rule(
    id="DeadLetterQueueRetention",
    requires="A dead-letter queue keeps messages for longer than its source.",
    reason="A message's age counts from when it was first sent: after a long backlog it expires soon after it was set "
    "aside, unseen.",
    fix="Raise the dead-letter queue's MessageRetentionPeriod (14 days at most), or lower the source's.",
    link="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html",
    check=check,
)
