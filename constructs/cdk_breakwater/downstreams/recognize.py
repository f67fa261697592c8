"""Which kind of downstream a construct is; a kind's module is loaded when the first of that kind turns up."""

from __future__ import annotations

from typing import Any

from .._cdk.kinds import is_proxy
from ..errors import BreakwaterError
from .downstream import Downstream

_CACHES = ("AWS::ElastiCache::ReplicationGroup", "AWS::ElastiCache::ServerlessCache")
_WITHOUT_RDS_CERTIFICATE = (*_CACHES, "AWS::DSQL::Cluster")


def recognize(database: Any, certificate_authority: str | None) -> Downstream:
    """Look at a construct as a downstream; see `Downstream.of`."""
    resource_type = str(getattr(database, "cfn_resource_type", None))
    if certificate_authority is not None and (
        isinstance(database, Downstream) or resource_type in _WITHOUT_RDS_CERTIFICATE
    ):
        raise BreakwaterError(
            database.construct if isinstance(database, Downstream) else database,
            f"certificate_authority={certificate_authority!r} is given, and it is not a database of RDS or DocumentDB.",
            "Pass it to Downstream.endpoint(…), or leave it out.",
        )
    if isinstance(database, Downstream):
        return database
    try:
        is_cluster = hasattr(database, "cluster_endpoint")
    except RuntimeError as missing:  # what a getter of jsii that throws becomes
        raise BreakwaterError(
            database, "its endpoint is not known.", "Import it with cluster_endpoint_address=… and port=…."
        ) from missing
    if is_cluster and not hasattr(database, "engine"):
        from .documentdb import DocumentDbDownstream

        return DocumentDbDownstream(database, certificate_authority=certificate_authority)
    if is_cluster or hasattr(database, "instance_endpoint"):
        from .rds import RdsDownstream

        return RdsDownstream(database, certificate_authority=certificate_authority)
    if resource_type == "AWS::DSQL::Cluster":
        from .dsql import DsqlDownstream

        return DsqlDownstream(database)
    if resource_type in _CACHES:
        from .elasticache import ElastiCacheDownstream

        return ElastiCacheDownstream(database)
    path = getattr(getattr(database, "node", None), "path", repr(database))
    if is_proxy(database):
        raise BreakwaterError(
            path,
            "an RDS Proxy doesn't show which database it leads to.",
            "Pass Downstream.proxy(database, proxy).",
        )
    if resource_type == "AWS::ElastiCache::CacheCluster":
        # Source: Amazon ElastiCache API Reference, CreateCacheCluster, TransitEncryptionEnabled: for
        # Memcached; Valkey and Redis OSS have TLS in replication groups alone.
        raise BreakwaterError(
            path,
            "CfnCacheCluster is not a downstream: its Redis has no TLS, and functions connect only over TLS.",
            "Make an elasticache.CfnReplicationGroup with transit_encryption_enabled=True; num_cache_clusters=1 is one "
            "node, as here. Memcached has no connections to share out.",
        )
    raise BreakwaterError(
        path,
        f"{type(database).__name__} is not a downstream.",
        "Pass an rds.DatabaseInstance, an rds.DatabaseCluster, a docdb.DatabaseCluster, a cache of ElastiCache, a "
        "dsql.CfnCluster, or Downstream.endpoint(…).",
    )
