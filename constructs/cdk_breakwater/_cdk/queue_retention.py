"""How long a queue keeps a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Duration

from ..limits.sqs import DEFAULT_RETENTION_SECONDS, MAXIMUM_RETENTION_SECONDS
from .rendered import rendered_number

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs

MAXIMUM_RETENTION = Duration.seconds(MAXIMUM_RETENTION_SECONDS)


def retention_seconds(queue: sqs.IQueue) -> int | None:
    """Return the retention period of a queue of this app; None for an imported one's, and for a token."""
    resource: Any = queue.node.default_child
    return None if resource is None else rendered_number(resource, "MessageRetentionPeriod", DEFAULT_RETENTION_SECONDS)
