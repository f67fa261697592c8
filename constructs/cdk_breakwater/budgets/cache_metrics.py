"""How many connections a cache of ElastiCache has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticache as elasticache

from ..monitoring.alarms import PERIOD

if TYPE_CHECKING:
    from constructs import IConstruct

CONNECTIONS = "connections"
"""What graphs call them."""


def cache_connections(cache: IConstruct) -> cloudwatch.IMetric | None:
    """Return the metric of a cache: of its busiest node, where it has nodes."""
    if isinstance(cache, elasticache.CfnServerlessCache):
        return connections_metric("AWS/ElastiCache", "CurrConnections", "clusterId", cache.ref)
    if isinstance(cache, elasticache.CfnReplicationGroup):
        nodes = _nodes(cache)
        return greatest_of(
            [connections_metric("AWS/ElastiCache", "CurrConnections", "CacheClusterId", node) for node in nodes]
        )
    return None


def _nodes(group: elasticache.CfnReplicationGroup) -> list[str]:
    """Name the nodes, which report each by itself: after the group, in cluster mode with the node group's number.

    Source: Amazon ElastiCache User Guide, "Creating a Valkey or Redis OSS replication group from scratch".
    """
    clustered = group.cluster_mode in ("enabled", "compatible") or "cluster.on" in str(group.cache_parameter_group_name)
    count = int(group.num_cache_clusters or 1 + (group.replicas_per_node_group or 0))
    numbers = [f"{'0001-' if clustered else ''}{number:03}" for number in range(1, count + 1)]
    return [Fn.join("-", [group.ref, number]) for number in numbers]


def connections_metric(namespace: str, name: str, dimension: str, value: str) -> cloudwatch.Metric:
    """Return the greatest number of connections that one server reports."""
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map={dimension: value},
        statistic="max",
        period=PERIOD,
        label=CONNECTIONS,
    )


def greatest_of(metrics: list[cloudwatch.Metric]) -> cloudwatch.IMetric:
    """Return the greatest of what several report: one metric, or an expression."""
    if len(metrics) == 1:
        return metrics[0]
    named: dict[str, cloudwatch.IMetric] = {f"c{number}": metric for number, metric in enumerate(metrics)}
    return cloudwatch.MathExpression(
        expression=f"MAX([{', '.join(named)}])", using_metrics=named, label=CONNECTIONS, period=PERIOD
    )
