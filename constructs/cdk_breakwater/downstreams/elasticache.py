"""Caches of Amazon ElastiCache (Valkey, Redis OSS) as downstreams; the CDK has L1 constructs for them alone."""

from __future__ import annotations

from typing import cast

from aws_cdk import Annotations, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache

from .._cdk.rendered import rendered
from ..errors import BreakwaterError
from ..limits.engines import DatabaseEngine
from ..limits.max_connections import MaxConnections, UnknownMaxConnections
from ..limits.service_limits import for_cache_node, for_engine
from .downstream import Downstream

_ENGINES = {"redis": DatabaseEngine.REDIS, "valkey": DatabaseEngine.VALKEY}


class ElastiCacheDownstream(Downstream):
    """An `elasticache.CfnReplicationGroup` without cluster mode, or an `elasticache.CfnServerlessCache`.

    Parameters
    ----------
    cache
        The L1 construct.

    Raises
    ------
    BreakwaterError
        When its engine is not Valkey or Redis, when transit encryption is off, or with more than one node group.
    """

    def __init__(self, cache: elasticache.CfnReplicationGroup | elasticache.CfnServerlessCache) -> None:
        self._cache = cache
        engine = _ENGINES.get(cache.engine or "redis")
        if engine is None:
            raise BreakwaterError(
                cache, f"its engine is {cache.engine!r}.", f"Functions connect to {' and '.join(_ENGINES)}."
            )
        if isinstance(cache, elasticache.CfnServerlessCache):
            host, port = cache.attr_endpoint_address, None
            # Source: Amazon ElastiCache User Guide, "Overall best practices": serverless is only available in a
            # cluster-mode enabled configuration.
            Annotations.of(cache).add_info_v2(
                "cdk-breakwater:cluster-mode",
                "A serverless cache is in cluster mode. All keys of a command, transaction or script must be in the "
                "same hash slot. Put {braces} around the part that they have in common.",
            )
        else:
            _require_encryption(cache)
            _require_one_node_group(cache)
            host, port = cache.attr_primary_end_point_address, cache.port
        super().__init__(
            cache,
            engine=engine,
            host=host,
            port=int(port) if port is not None and not Token.is_unresolved(port) else engine.default_port,
        )
        groups = cache.security_group_ids or []
        if groups:
            self.connectable = ec2.Connections(
                security_groups=[
                    cast(
                        "ec2.ISecurityGroup",
                        cache.node.try_find_child(f"SecurityGroup{number}")
                        or ec2.SecurityGroup.from_security_group_id(cache, f"SecurityGroup{number}", group),
                    )
                    for number, group in enumerate(groups)
                ],
                default_port=ec2.Port.tcp(self.port),
            )

    def max_connections(self) -> MaxConnections:
        """Take ElastiCache's limit for the node type."""
        if isinstance(self._cache, elasticache.CfnServerlessCache):
            return for_engine(self.engine)
        node_type = rendered(self._cache, "CacheNodeType").get("CacheNodeType")
        if not isinstance(node_type, str):
            msg = "its node type is a token or not given, and the smallest nodes take fewer connections."
            raise UnknownMaxConnections(msg, "Pass max_connections=…")
        return for_cache_node(node_type)


def _require_encryption(cache: elasticache.CfnReplicationGroup) -> None:
    if cache.transit_encryption_enabled is not True and not Token.is_unresolved(cache.transit_encryption_enabled):
        raise BreakwaterError(
            cache,
            f"transit_encryption_enabled is {cache.transit_encryption_enabled}, and functions connect only over TLS.",
            "Set transit_encryption_enabled=True.",
        )


def _require_one_node_group(cache: elasticache.CfnReplicationGroup) -> None:
    groups = cache.num_node_groups
    if groups is not None and not Token.is_unresolved(groups) and groups > 1:
        raise BreakwaterError(
            cache,
            f"it has {int(groups)} node groups, and a client of a sharded cache connects to each of them.",
            "Use one node group: its replicas and a larger node type make it faster.",
        )
