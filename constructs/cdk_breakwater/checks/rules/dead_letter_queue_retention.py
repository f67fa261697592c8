"""A message in the dead-letter queue outlives the ones in its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Unknown
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

# CloudFormation's default of MessageRetentionPeriod, and its maximum.
_FOUR_DAYS = 345_600
_FOURTEEN_DAYS = 1_209_600
_DAY = 86_400


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the retention of a standard queue with that of its dead-letter queue."""
    dead_letters = resource.target("RedrivePolicy", "deadLetterTargetArn")
    # A FIFO queue counts anew from the move.
    if dead_letters is None or dead_letters.type != resource.type or dead_letters.flag("FifoQueue") is not False:
        return
    kept = resource.number("MessageRetentionPeriod", default=_FOUR_DAYS)
    kept_dead = dead_letters.number("MessageRetentionPeriod", default=_FOUR_DAYS)
    if isinstance(kept, Unknown) or isinstance(kept_dead, Unknown) or kept_dead > kept:
        return
    problem = (
        f"{dead_letters.name} keeps messages for {kept_dead / _DAY:g} days, no longer than {resource.name}, whose "
        f"dead-letter queue it is ({kept / _DAY:g} days)."
    )
    yield Finding(
        dead_letters,
        "Properties.MessageRetentionPeriod",
        problem,
        found=f"{kept_dead / _DAY:g} days",
        needed=f"more than {kept / _DAY:g} days"
        if kept < _FOURTEEN_DAYS
        else "more than its source's, at most 14 days",
        others=(resource,),
        based_on=(kept, kept_dead),
    )


RULE = Rule(
    id="DeadLetterQueueRetention",
    requires="A dead-letter queue keeps messages for longer than its source.",
    reason="A message's age counts from when it was first sent: after a long backlog it expires soon after it was set "
    "aside, unseen.",
    fix="Raise the dead-letter queue's MessageRetentionPeriod (14 days at most), or lower the source's.",
    link="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html",
    severity=Severity.MESSAGES,
    of=("AWS::SQS::Queue",),
    check=check,
)
