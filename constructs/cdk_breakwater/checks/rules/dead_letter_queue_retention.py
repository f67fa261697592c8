"""A message in the dead-letter queue outlives the ones in its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.sqs import DEFAULT_RETENTION_SECONDS, MAXIMUM_RETENTION_SECONDS
from ..answers import Unknown
from ..queues import redriven_to
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

_DAY = 86_400


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the retention of a dead-letter queue with that of the standard queue that keeps messages longest."""
    kept_dead = resource.number("MessageRetentionPeriod", default=DEFAULT_RETENTION_SECONDS)
    # A FIFO queue counts anew from the move.
    if resource.flag("FifoQueue") is not False or isinstance(kept_dead, Unknown):
        return
    sources = {
        source: kept
        for source in redriven_to(resource)
        if not isinstance(kept := source.number("MessageRetentionPeriod", default=DEFAULT_RETENTION_SECONDS), Unknown)
    }
    if not sources or kept_dead > (longest := max(sources.values())):
        return
    source = next(each for each, kept in sources.items() if kept == longest)
    yield Finding(
        resource,
        "Properties.MessageRetentionPeriod",
        f"{resource.name} keeps messages for {kept_dead / _DAY:g} days, no longer than {source.name}, whose "
        f"dead-letter queue it is ({longest / _DAY:g} days).",
        found=f"{kept_dead / _DAY:g} days",
        needed=f"more than {longest / _DAY:g} days"
        if longest < MAXIMUM_RETENTION_SECONDS
        else "a source that keeps them for less than 14 days, the most there is",
        others=(source,),
        based_on=(longest, kept_dead),
    )


RULE = Rule(
    id="DeadLetterQueueRetention",
    requires="A dead-letter queue keeps messages for longer than its source queue.",
    reason="A message keeps the time at which it was first sent. After a long backlog, it expires soon after it "
    "reaches the dead-letter queue, before anyone has seen it.",
    fix="Raise the dead-letter queue's MessageRetentionPeriod (14 days at most), or lower the source queue's.",
    link="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html",
    severity=Severity.MESSAGES,
    of=("AWS::SQS::Queue",),
    check=check,
)
