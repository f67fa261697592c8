"""Which metric tells how many connections a downstream has: AWS's own, the runtime's, or what concurrency implies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import Fn
from aws_cdk import aws_cloudwatch as cloudwatch

from .documentdb_downstream import DocumentDbDownstream
from .monitoring import MAXIMUM_METRICS, PERIOD
from .monitoring_function import concurrency
from .monitoring_runtime import SERVER_CONNECTIONS, runtime_metric
from .rds_downstream import RdsDownstream

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from .connection_budget import ConnectionBudget
    from .downstream import Downstream

_LABEL = "connections"


@dataclass(frozen=True)
class Connections:
    """A metric of connections.

    Parameters
    ----------
    metric
        To be read as a maximum.
    whole
        Whether it counts everyone's connections, not those of this app's functions alone.
    beside
        The construct whose stack has what it refers to.
    metrics
        How many metrics it is computed from.
    """

    metric: cloudwatch.IMetric
    whole: bool
    beside: Construct
    metrics: int = 1


def find_connections(budget: ConnectionBudget) -> Connections | None:
    """Return what tells the connections of a budget's downstream; None without a downstream and without functions."""
    own = None if budget.downstream is None else _of_downstream(budget.downstream)
    if own is not None:
        return Connections(own, whole=True, beside=budget)
    functions = {share.function: share for share in budget.shares if share.function is not None}
    seen = [metric for function in functions if (metric := _seen_by(function)) is not None]
    beside: Any = next(iter(functions), budget)
    if seen:
        # They all look at the same server.
        return Connections(_greatest(seen[:MAXIMUM_METRICS]), whole=True, beside=beside)
    if not functions:
        return None
    held = {f"f{number}": concurrency(function) for number, function in enumerate(functions)}
    terms = zip(held, functions.values(), strict=True)
    metric = cloudwatch.MathExpression(
        expression=" + ".join(f"FILL({name}, 0) * {share.connections_per_environment}" for name, share in terms),
        using_metrics=held,
        label="connections that the functions hold at most",
        period=PERIOD,
    )
    return Connections(metric, whole=False, beside=beside, metrics=len(held))


def _seen_by(function: lambda_.IFunction) -> cloudwatch.Metric | None:
    return runtime_metric(function, SERVER_CONNECTIONS, statistic="max")


def _of_downstream(downstream: Downstream) -> cloudwatch.IMetric | None:
    database: Any = downstream.construct
    if isinstance(downstream, RdsDownstream):
        # Of a cluster: the greatest of its instances' numbers.
        return database.metric_database_connections(statistic="max", period=PERIOD, label=_LABEL)
    if isinstance(downstream, DocumentDbDownstream):
        return _metric("AWS/DocDB", "DatabaseConnectionsMax", "DBClusterIdentifier", database.cluster_identifier)
    if getattr(database, "cfn_resource_type", None) == "AWS::ElastiCache::ServerlessCache":
        return _metric("AWS/ElastiCache", "CurrConnections", "clusterId", database.ref)
    if getattr(database, "cfn_resource_type", None) == "AWS::ElastiCache::ReplicationGroup":
        return _greatest(
            [_metric("AWS/ElastiCache", "CurrConnections", "CacheClusterId", node) for node in _cache_nodes(database)]
        )
    return None


def _cache_nodes(group: Any) -> list[str]:
    """Name the nodes, which report each by itself: after the group, in cluster mode with the node group's number.

    Source: Amazon ElastiCache User Guide, "Creating a Valkey or Redis OSS replication group from scratch".
    """
    clustered = group.cluster_mode in ("enabled", "compatible") or "cluster.on" in str(group.cache_parameter_group_name)
    count = int(group.num_cache_clusters or 1 + (group.replicas_per_node_group or 0))
    numbers = [f"{'0001-' if clustered else ''}{number:03}" for number in range(1, count + 1)]
    return [Fn.join("-", [group.ref, number]) for number in numbers]


def _metric(namespace: str, name: str, dimension: str, value: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map={dimension: value},
        statistic="max",
        period=PERIOD,
        label=_LABEL,
    )


def _greatest(metrics: list[cloudwatch.Metric]) -> cloudwatch.IMetric:
    if len(metrics) == 1:
        return metrics[0]
    named: dict[str, cloudwatch.IMetric] = {f"c{number}": metric for number, metric in enumerate(metrics)}
    return cloudwatch.MathExpression(
        expression=f"MAX([{', '.join(named)}])", using_metrics=named, label=_LABEL, period=PERIOD
    )
