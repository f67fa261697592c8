"""How many connections the services besides RDS allow: by capacity, tier or node type."""

from __future__ import annotations

from .engines import DatabaseEngine
from .max_connections import MaxConnections, UnknownMaxConnections

_GIVE_IT = "Pass max_connections=…"

# Per cluster, and 100 new ones a second, each of them for 60 minutes at most. Source: Aurora DSQL User Guide, "Cluster
# quotas and database limits in Amazon Aurora DSQL".
_DSQL = 10_000

# maxclients, which nobody can modify. Source: Amazon ElastiCache User Guide, "Valkey and Redis OSS parameters"; the
# same 65,000 for a serverless cache: "Large number of connections".
_CACHE = 65_000
_CACHE_NODE_TYPES = {
    "cache.t2.micro": 20_000,
    "cache.t2.small": 20_000,
    "cache.t2.medium": 20_000,
    "cache.t3.micro": 20_000,
    "cache.t3.small": 46_000,
    "cache.t3.medium": 46_000,
    "cache.t4g.micro": 20_000,
}

# Per node. Source: MongoDB Atlas, "Atlas Service Limits", connection limits and cluster tier (AWS, general class). The
# low-CPU class of M40 has 4,000; the tiers between those listed are not in the source.
_ATLAS_TIERS = {
    "M0": 500,
    "M10": 1_500,
    "M20": 3_000,
    "M30": 3_000,
    "M40": 6_000,
    "M40 low-CPU": 4_000,
    "M50": 16_000,
    "M60": 32_000,
    "M80": 96_000,
    "M140": 96_000,
    "M200": 128_000,
    "M300": 128_000,
    "M400": 128_000,
    "M700": 128_000,
}

# Rows: current capacity in DCU, active connections per instance. The column of all connections, 250 to 60,000, counts
# those that wait for their turn, too. Source: Amazon DocumentDB Developer Guide, "Amazon DocumentDB serverless instance
# limits", for a minimum capacity of that row.
_DOCUMENTDB_SERVERLESS = (
    (0.5, 39),
    (1, 79),
    (1.5, 124),
    (2, 173),
    (4, 416),
    (8, 1_071),
    (16, 2_709),
    (32, 4_500),
    (64, 4_500),
    (128, 4_500),
    (256, 4_500),
)


def for_engine(engine: DatabaseEngine) -> MaxConnections:
    """Find the limit of an engine that has the same one at every size: Aurora DSQL, ElastiCache for Redis and Valkey.

    ElastiCache's smallest nodes have less, see `for_cache_node`.

    Raises
    ------
    UnknownMaxConnections
        The engine's limit depends on more.
    """
    if engine is DatabaseEngine.AURORA_DSQL:
        return MaxConnections(_DSQL, "Aurora DSQL's limit")
    if engine in (DatabaseEngine.REDIS, DatabaseEngine.VALKEY):
        return MaxConnections(_CACHE, "ElastiCache's limit")
    remedy = 'Pass max_connections=…, or atlas_tier="M30".' if engine is DatabaseEngine.MONGODB else _GIVE_IT
    raise UnknownMaxConnections(f"The connections of {engine.value} depend on its size.", remedy)


def for_cache_node(node_type: str) -> MaxConnections:
    """Find ElastiCache's `maxclients` for a node type of Redis or Valkey, such as ``cache.t4g.micro``."""
    if node_type in _CACHE_NODE_TYPES:
        return MaxConnections(_CACHE_NODE_TYPES[node_type], f"ElastiCache's limit for {node_type}")
    return MaxConnections(_CACHE, "ElastiCache's limit")


def for_atlas_tier(tier: str) -> MaxConnections:
    """Find the connections per node of a MongoDB Atlas cluster.

    Parameters
    ----------
    tier
        ``M0`` to ``M700``, or ``M40 low-CPU``.

    Raises
    ------
    UnknownMaxConnections
        The tier is not in Atlas's table.
    """
    if tier not in _ATLAS_TIERS:
        raise UnknownMaxConnections(
            f"Atlas's table of connections has no tier {tier!r}.",
            f"It has {', '.join(_ATLAS_TIERS)}; for another one, pass max_connections=…",
        )
    return MaxConnections(_ATLAS_TIERS[tier], f"Atlas's limit for {tier}")


def for_documentdb_serverless(minimum_dcu: float) -> MaxConnections:
    """Find the limit of a serverless DocumentDB instance.

    It follows the capacity that the instance has at the moment, and so only the minimum's is certain. A burst of
    functions does not wait for the instance to grow.

    Parameters
    ----------
    minimum_dcu
        The cluster's minimum capacity, 0.5 to 256 DCU. Between two rows of AWS's table the lower one counts.

    Raises
    ------
    UnknownMaxConnections
        A capacity beyond AWS's table.
    """
    if not _DOCUMENTDB_SERVERLESS[0][0] <= minimum_dcu <= _DOCUMENTDB_SERVERLESS[-1][0]:
        raise UnknownMaxConnections(
            f"The minimum capacity must be between 0.5 and 256 DCU (given {minimum_dcu:g}).", _GIVE_IT
        )
    dcu, connections = next(row for row in reversed(_DOCUMENTDB_SERVERLESS) if row[0] <= minimum_dcu)
    return MaxConnections(connections, f"DocumentDB's table of active connections for a minimum of {dcu:g} DCU")
