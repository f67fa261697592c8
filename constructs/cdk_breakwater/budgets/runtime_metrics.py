"""The metrics that `breakwater_runtime` writes: what became of a function's connections, what it saw at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from ..monitoring.alarms import NAMESPACE, PERIOD, graph

if TYPE_CHECKING:
    from ..downstreams.downstream import Downstream

COUNTERS = ("Connects", "Reuses", "Heals", "Closes", "ZombiesEnded", "Waits", "Unavailable")
SERVER_CONNECTIONS = "ServerConnections"


def runtime_metric(
    function: lambda_.IFunction, name: str, *, statistic: str = "sum", label: str | None = None
) -> cloudwatch.Metric | None:
    """Return one metric of a function, or None for a function that writes none.

    The runtime for Python counts for SQL databases; the dimensions are those of `breakwater_runtime.metrics`.
    """
    downstream: Downstream | None = getattr(function, "downstream", None)
    if downstream is None or not (downstream.engine.is_mysql or downstream.engine.is_postgresql):
        return None
    if not isinstance(function, lambda_.Function) or function.runtime.family != lambda_.RuntimeFamily.PYTHON:
        return None
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"FunctionName": function.function_name, "Downstream": downstream.engine.runtime_engine},
        statistic=statistic,
        period=PERIOD,
        label=label,
    ).attach_to(function)


def runtime_widgets(function: lambda_.IFunction) -> list[cloudwatch.IWidget]:
    """Return the widget of a function's connections; none for a function that writes no metrics."""
    counters = [metric for name in COUNTERS if (metric := runtime_metric(function, name)) is not None]
    if not counters:
        return []
    seen = runtime_metric(function, SERVER_CONNECTIONS, statistic="max", label="seen at the server")
    return [
        graph(
            f"{function.node.path}: connections",
            counters,
            right=[] if seen is None else [seen],
            right_unit="server's connections",
        )
    ]
