"""A message that a subscriber does not take is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT, Block, Items
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

# Source: Amazon SNS Developer Guide, "Amazon SNS dead-letter queues": not for people's inboxes and phones.
_PROTOCOLS = ("lambda", "sqs", "http", "https", "firehose")


def check(resource: Resource) -> Iterator[Finding]:
    """Find a subscription without a redrive policy, and one within a topic, which can have none."""
    if resource.type == "AWS::SNS::Topic":
        inline = resource.items("Subscription")
        blocks = [each for each in (inline if isinstance(inline, Items) else ()) if isinstance(each, Block)]
        protocols = [each.get("Protocol") for each in blocks if each.get("Protocol") in _PROTOCOLS]
        if protocols:
            yield Finding(
                resource,
                "Properties.Subscription",
                f"{resource.name} drops a message that its {protocols[0]} endpoint does not take.",
                found="a subscription within the topic",
                needed="an AWS::SNS::Subscription with RedrivePolicy",
            )
        return
    if resource.get("Protocol") not in _PROTOCOLS or resource.get("RedrivePolicy") is not ABSENT:
        return
    topic = resource.target("TopicArn", of="AWS::SNS::Topic")
    of = f" to {topic.name}" if topic else ""
    yield Finding(
        resource,
        "Properties.RedrivePolicy",
        f"{resource.name}{of} drops a message that its {resource.get('Protocol')} endpoint does not take.",
        found="no dead-letter queue",
        needed="RedrivePolicy",
    )


RULE = Rule(
    id="SubscriptionRedrive",
    requires="A subscription to a topic has a dead-letter queue.",
    reason="SNS discards a message after its retries, and at once if a permission is wrong.",
    fix="Set RedrivePolicy with a deadLetterTargetArn.",
    link="https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html",
    severity=Severity.MESSAGES,
    of=("AWS::SNS::Subscription", "AWS::SNS::Topic"),
    check=check,
    trial=True,
)
