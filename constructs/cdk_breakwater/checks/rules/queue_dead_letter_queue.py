"""A message that fails is tried again, and not lost in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..event_source import event_sources
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly

# Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping".
_MINIMUM_RECEIVES = 5


def check(assembly: Assembly) -> Iterator[Finding]:
    """Find the queues of functions without a dead-letter queue, or that go there too early."""
    queues = {source.source: source.function for source in event_sources(assembly) if source.is_queue and source.source}
    for queue, function in queues.items():
        if queue.get("RedrivePolicy") is None:
            reader = function.name if function else "a function"
            problem = f"{queue.name}, read by {reader}, has no dead-letter queue."
            yield Finding(queue, "Properties.RedrivePolicy", problem)
            continue
        receives = queue.number("RedrivePolicy", "maxReceiveCount")
        if receives is not None and receives < _MINIMUM_RECEIVES:
            problem = f"{queue.name} has a maxReceiveCount of {receives:g}."
            yield Finding(queue, "Properties.RedrivePolicy.maxReceiveCount", problem)


RULE = Rule(
    id="QueueDeadLetterQueue",
    requires="A queue that a function reads has a dead-letter queue, with a maxReceiveCount of 5 or more.",
    reason="Without one, a message that fails comes back until it expires; with a low count, a few throttled receives "
    "are enough to set aside a good one.",
    fix="Set RedrivePolicy with a deadLetterTargetArn and a maxReceiveCount of at least 5.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    check=check,
)
