"""A function that may open connections to a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .callers import called_by_schedule
from .concurrency import most_at_once

if TYPE_CHECKING:
    from .answers import Absent, Amount, Unknown
    from .resource import Resource
    from .servers import Server

# Sources: Amazon ElastiCache User Guide, "Quotas" (65,000 clients of a node); Amazon Aurora DSQL User Guide, "Cluster
# quotas" (10,000 of a cluster).
_WIDE = (
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::MemoryDB::Cluster",
    "AWS::DSQL::Cluster",
)


@dataclass(frozen=True, eq=False)
class Connection:
    """A function that may open connections to a database.

    Attributes
    ----------
    function
        The function.
    server
        The database or cache; None for one that is not in the templates.
    evidence
        By what that is known.
    proxied
        Whether an RDS Proxy holds the connections.
    reads
        Whether it knows nothing but the address of readers.
    outside
        What is known of a database that is not in the templates.
    """

    function: Resource
    server: Server | None
    evidence: str
    proxied: Resource | None = None
    reads: bool = False
    outside: str = ""

    @property
    def to(self) -> str:
        """Name what it connects to."""
        return self.server.name if self.server else self.outside

    @property
    def carries_a_burst(self) -> bool:
        """Whether it takes more connections than an account of 1,000 concurrent executions opens."""
        return self.server.resource.type in _WIDE if self.server else self.outside.startswith("a cache")

    @property
    def at_once(self) -> Amount | Absent | Unknown:
        """How many of the function there may be: absent where nothing limits it."""
        return most_at_once(self.function)

    @property
    def scheduled(self) -> bool:
        """Whether nothing but a schedule calls the function."""
        return called_by_schedule(self.function)
