"""A queue and its dead-letter queue are of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Unknown
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the kinds of a queue and its dead-letter queue."""
    dead_letters = resource.target("RedrivePolicy", "deadLetterTargetArn")
    if dead_letters is None or dead_letters.type != resource.type:
        return
    kinds = [queue.flag("FifoQueue") for queue in (resource, dead_letters)]
    if any(isinstance(kind, Unknown) for kind in kinds) or kinds[0] is kinds[1]:
        return
    fifo, standard = (resource, dead_letters) if kinds[0] is True else (dead_letters, resource)
    yield Finding(
        resource,
        "Properties.RedrivePolicy.deadLetterTargetArn",
        f"{fifo.name} is a FIFO queue, and {standard.name} is none.",
        found="FIFO and standard",
        needed="both FIFO, or neither",
        others=(dead_letters,),
    )


RULE = Rule(
    id="FifoDeadLetterQueue",
    requires="The dead-letter queue of a FIFO queue is a FIFO queue, and that of a standard queue is a standard queue.",
    reason="SQS refuses the redrive policy, and the deployment is rolled back.",
    fix="Set FifoQueue to the same value for both queues. The name of a FIFO queue ends in .fifo.",
    link="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html",
    severity=Severity.DEPLOYMENT,
    of=("AWS::SQS::Queue",),
    check=check,
)
