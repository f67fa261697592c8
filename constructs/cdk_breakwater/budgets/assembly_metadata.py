"""What a budget leaves in the cloud assembly for `breakwater plan`, which must not load the CDK to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .budget import ConnectionBudget

METADATA = "cdk-breakwater:budget"
"""The type of the construct metadata."""


def description(budget: ConnectionBudget) -> dict[str, Any]:
    """Describe a budget and its shares."""
    return {
        "path": budget.title,
        "maxConnections": budget.max_connections,
        "basis": budget.basis,
        "reserved": budget.reserved_connections,
        "external": budget.external_connections,
        "pools": budget.pool_connections,
        "utilization": budget.utilization,
        "shared": budget.shared_connections,
        "guarded": budget.guards_deployments,
        "shares": [share.description() for share in budget.shares],
    }
