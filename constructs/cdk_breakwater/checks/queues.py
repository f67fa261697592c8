"""Which queues set aside their messages in which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .referring_resources import referring_to

if TYPE_CHECKING:
    from .resource import Resource


def redriven_to(dead_letters: Resource) -> list[Resource]:
    """Give the queues whose dead-letter queue this one is."""
    found = referring_to(dead_letters, "AWS::SQS::Queue", "RedrivePolicy", "deadLetterTargetArn")
    return [queue for queue in found if queue is not dead_letters]
