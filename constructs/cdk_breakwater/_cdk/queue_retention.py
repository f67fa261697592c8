"""How long a queue keeps a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Duration

from .rendered import rendered

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs

# Source: Amazon SQS Developer Guide, "Amazon SQS message quotas".
MAXIMUM_RETENTION = Duration.days(14)
_RETENTION = "MessageRetentionPeriod"
# CloudFormation's default.
_DEFAULT_SECONDS = 345_600


def retention_seconds(queue: sqs.IQueue) -> int | None:
    """Return the retention period of a queue of this app; None for an imported one's, and for a token."""
    resource: Any = queue.node.default_child
    if resource is None:
        return None
    given = rendered(resource, _RETENTION).get(_RETENTION, _DEFAULT_SECONDS)
    return int(given) if isinstance(given, (int, float)) else None
