"""Which metric tells how many connections a downstream has: AWS's own, the runtime's, or what concurrency implies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_cloudwatch as cloudwatch

from ..downstreams.documentdb import DocumentDbDownstream
from ..downstreams.elasticache import ElastiCacheDownstream
from ..downstreams.rds import RdsDownstream
from ..limits.engines import DatabaseEngine
from ..monitoring.alarms import MAXIMUM_METRICS, PERIOD
from ..monitoring.lambda_metrics import concurrency
from .cache_metrics import CONNECTIONS, cache_connections, connections_metric, greatest_of
from .runtime_metrics import SERVER_CONNECTIONS, runtime_metric
from .share import ConnectionShare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from ..downstreams.downstream import Downstream
    from .budget import ConnectionBudget


@dataclass(frozen=True)
class Connections:
    """A metric of connections.

    Parameters
    ----------
    metric
        What is compared with the plan.
    full
        What is compared with all there is; None where only this app's functions are counted.
    beside
        The construct whose stack has what it refers to.
    counted
        The shares of these functions, by function; empty where AWS or the runtime tells.
    """

    metric: cloudwatch.IMetric
    full: cloudwatch.IMetric | None
    beside: Construct
    counted: dict[lambda_.IFunction, ConnectionShare] = field(default_factory=dict)


def find_connections(budget: ConnectionBudget) -> Connections | None:
    """Return what tells the connections of a budget's downstream; None without a downstream and without functions."""
    downstream = budget.downstream
    if downstream is not None and downstream.behind_proxy:
        return Connections(
            proxy_metric(downstream, "ClientConnections"),
            full=proxy_metric(downstream, "DatabaseConnectionsCurrentlyBorrowed"),
            beside=budget,
        )
    own = None if downstream is None else _of_downstream(downstream)
    if own is not None:
        return Connections(own, full=own, beside=budget)
    functions = {share.function: share for share in budget.shares if share.function is not None}
    seen = [metric for function in functions if (metric := _seen_by(function, budget)) is not None]
    beside: Any = next(iter(functions), budget)
    if seen:
        # They all look at the same server.
        greatest = greatest_of(seen[:MAXIMUM_METRICS])
        return Connections(greatest, full=greatest, beside=beside)
    if not functions:
        return None
    return Connections(held_by(functions), full=None, beside=beside, counted=functions)


def held_by(functions: Mapping[lambda_.IFunction, ConnectionShare]) -> cloudwatch.MathExpression:
    """Sum what functions hold at most: concurrency x connections per environment."""
    held: dict[str, cloudwatch.IMetric] = {
        f"f{number}": concurrency(function) for number, function in enumerate(functions)
    }
    terms = zip(held, functions.values(), strict=True)
    return cloudwatch.MathExpression(
        expression=" + ".join(f"FILL({name}, 0) * {share.connections_per_environment}" for name, share in terms),
        using_metrics=held,
        label="connections that the functions hold at most",
        period=PERIOD,
    )


def _seen_by(function: lambda_.IFunction, budget: ConnectionBudget) -> cloudwatch.Metric | None:
    share = ConnectionShare.of(function)
    if share is None or share.budget is not budget:
        return None  # a further database of the function's
    return runtime_metric(function, SERVER_CONNECTIONS, statistic="max")


def proxy_metric(downstream: Downstream, name: str, *, statistic: str = "sum") -> cloudwatch.Metric:
    """Return a metric of an RDS Proxy, whose nodes report each by itself: counts are sums over a minute.

    Source: Amazon RDS User Guide, "Monitoring RDS Proxy metrics with Amazon CloudWatch".
    """
    proxy: Any = downstream.construct
    return cloudwatch.Metric(
        namespace="AWS/RDS",
        metric_name=name,
        dimensions_map={"ProxyName": proxy.db_proxy_name},
        statistic=statistic,
        period=PERIOD,
    ).attach_to(downstream.construct)


def _of_downstream(downstream: Downstream) -> cloudwatch.IMetric | None:
    database: Any = downstream.construct
    if isinstance(downstream, RdsDownstream):
        if downstream.engine not in (DatabaseEngine.AURORA_MYSQL, DatabaseEngine.AURORA_POSTGRESQL):
            # Of a cluster: the greatest of its instances' numbers.
            return database.metric_database_connections(statistic="max", period=PERIOD, label=CONNECTIONS)
        # Source: Amazon RDS User Guide, "Amazon CloudWatch dimensions for Amazon RDS".
        role = "READER" if downstream.is_readers else "WRITER"
        dimensions = {"DBClusterIdentifier": database.cluster_identifier, "Role": role}
        return database.metric(
            "DatabaseConnections", dimensions_map=dimensions, statistic="max", period=PERIOD, label=CONNECTIONS
        )
    if isinstance(downstream, DocumentDbDownstream):
        return connections_metric(
            "AWS/DocDB", "DatabaseConnectionsMax", "DBClusterIdentifier", database.cluster_identifier
        )
    if isinstance(downstream, ElastiCacheDownstream):
        return cache_connections(database)
    return None
