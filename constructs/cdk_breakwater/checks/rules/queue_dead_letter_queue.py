"""A message that fails is tried again, and not lost in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.sqs import MINIMUM_RECEIVES
from ..answers import ABSENT, Absent, Unknown
from ..callers import mentions
from ..event_source import readers_of
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a queue of functions without a dead-letter queue, or whose messages go there too early."""
    readers = [source for source in readers_of(resource) if source.enabled]
    if not readers:
        return
    given = resource.get("RedrivePolicy")
    if given is ABSENT and not _is_dead_letter_queue(resource):
        problem = f"{resource.name}, read by {readers[0].reader}, has no dead-letter queue."
        others = tuple(source.mapping for source in readers)
        yield Finding(resource, "Properties.RedrivePolicy", problem, "none", "RedrivePolicy", others=others)
    receives = resource.limit("RedrivePolicy", "maxReceiveCount")
    # In a FIFO queue a message that fails holds up those behind it, so that a low count may be meant.
    if isinstance(receives, Unknown | Absent) or resource.flag("FifoQueue") is not False:
        return
    if receives < MINIMUM_RECEIVES:
        yield Finding(
            resource,
            "Properties.RedrivePolicy.maxReceiveCount",
            f"{resource.name} has a maxReceiveCount of {receives:g}.",
            found=f"{receives:g} receives",
            needed=f"at least {MINIMUM_RECEIVES}",
            others=tuple(source.mapping for source in readers),
            based_on=(receives,),
        )


def _is_dead_letter_queue(queue: Resource) -> bool:
    """Tell whether other queues, topics or functions set aside what failed there: it has no such place itself."""
    for resource in mentions(queue.template.assembly).get(queue, ()):
        if resource.type == "AWS::SQS::Queue" and resource.target("RedrivePolicy", "deadLetterTargetArn") is queue:
            return True
        if (
            resource.type == "AWS::SNS::Subscription"
            and resource.target("RedrivePolicy", "deadLetterTargetArn") is queue
        ):
            return True
        if resource.type == "AWS::Lambda::Function" and resource.target("DeadLetterConfig", "TargetArn") is queue:
            return True
        if resource.target("DestinationConfig", "OnFailure", "Destination") is queue:
            return True
    return False


RULE = Rule(
    id="QueueDeadLetterQueue",
    requires="A queue that a function reads has a dead-letter queue with a maxReceiveCount of 5 or more.",
    reason="Without a dead-letter queue, a failing message comes back until it expires. With a low maxReceiveCount, "
    "a few throttled receives send a good message there.",
    fix="Set RedrivePolicy with a deadLetterTargetArn and a maxReceiveCount of at least 5.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    severity=Severity.MESSAGES,
    of=("AWS::SQS::Queue",),
    check=check,
)
