"""What a connection budget shows and when it calls for help: the server's connections against the numbers at synth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_cloudwatch as cloudwatch

from .connection_budget import ConnectionBudget
from .errors import BreakwaterError
from .lazy import lazy_number, lazy_string
from .monitoring import ABOVE, MAXIMUM_METRICS, PERIOD, graph, make_alarm, make_alarms
from .monitoring_connections import find_connections, proxy_metric
from .monitoring_function import concurrency

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sns as sns
    from constructs import Construct

    from .connection_share import ConnectionShare
    from .downstream import Downstream

_OVERLAP = 15
"""Minutes. While a deployment replaces environments, old and new ones hold connections together."""


def budget_alarms(
    budget: ConnectionBudget, topic_or_action: sns.ITopic | cloudwatch.IAlarmAction | None
) -> list[cloudwatch.Alarm]:
    """Make the alarms of a budget; see `ConnectionBudget.alarms`."""
    connections = find_connections(budget)
    if connections is None:
        raise BreakwaterError(
            budget,
            "nothing measures its connections: it stands for no database, and no function has a share yet.",
            "Call alarms() after the shares were taken.",
        )
    if connections.metrics > MAXIMUM_METRICS:
        raise BreakwaterError(
            budget,
            f"its connections are the sum of {connections.metrics} functions' concurrency, and an alarm takes "
            f"{MAXIMUM_METRICS} metrics.",
            "Use the functions' own alarms, or ConnectionBudget.of(database) for a database that reports its "
            "connections.",
        )
    name = budget_name(budget)

    def planned() -> int:
        return _planned(budget) if connections.full is not None else _sum(budget, lambda part: part.shared_connections)

    def most() -> int:
        return _sum(budget, lambda part: part.max_connections - part.reserved_connections)

    def make(scope: Construct) -> list[cloudwatch.Alarm]:
        above = make_alarm(
            scope,
            "Connections",
            connections.metric,
            threshold=lazy_number(planned),
            comparison_operator=ABOVE,
            minutes=_OVERLAP,
            description=lazy_string(
                lambda: (
                    f"{name} has had more than the {planned()} planned connections for {_OVERLAP} minutes: somebody "
                    "outside the budget connects (external_connections), or sessions outlive their environments."
                )
            ),
        )
        if connections.full is None:
            return [above]
        exhausted = make_alarm(
            scope,
            "Exhausted",
            connections.full,
            threshold=lazy_number(most),
            description=lazy_string(
                lambda: (
                    f"All {most()} connections of the pool of {name} are lent: who asks for one waits."
                    if budget.downstream is not None and budget.downstream.behind_proxy
                    else f"{name} has {most()} connections, all that max_connections leaves for clients "
                    f"({budget.reserved_connections} are kept for administrators): it refuses the next one."
                )
            ),
        )
        return [above, exhausted]

    return make_alarms(budget, make, topic_or_action, beside=connections.beside)


def budget_widgets(budget: ConnectionBudget) -> list[cloudwatch.IWidget]:
    """Return the widgets of a budget; see `ConnectionBudget.widgets`."""
    connections = find_connections(budget)
    if connections is None:
        return []
    limits = [("budget", lazy_number(lambda: _sum(budget, lambda part: part.shared_connections)))]
    if connections.full is not None:
        limits = [
            ("max_connections", lazy_number(lambda: _sum(budget, lambda part: part.max_connections))),
            ("planned", lazy_number(lambda: _planned(budget))),
        ]
    shares = [
        _part_of_share(share, share.function, f"s{number}")
        for number, share in enumerate(budget.shares)
        if share.function is not None
    ]
    name, downstream = budget_name(budget), budget.downstream
    return [
        graph(f"{name}: connections", [connections.metric], limits=limits),
        *([graph(f"{name}: concurrency, % of each share", shares, limits=[("share", 100)])] if shares else []),
        *(_pool_widgets(name, downstream) if downstream is not None and downstream.behind_proxy else []),
    ]


def _pool_widgets(name: str, proxy: Downstream) -> list[cloudwatch.IWidget]:
    counts = (
        "DatabaseConnections",
        "DatabaseConnectionsCurrentlyBorrowed",
        "DatabaseConnectionsCurrentlySessionPinned",
    )
    return [
        graph(
            f"{name}: pool",
            [proxy_metric(proxy, count) for count in counts],
            right=[proxy_metric(proxy, "DatabaseConnectionsBorrowLatency", statistic="max")],
            right_unit="borrow latency (µs)",
        )
    ]


def _part_of_share(share: ConnectionShare, function: lambda_.IFunction, name: str) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=f"100 * {name} / {lazy_string(lambda: str(share.resolve()))}",
        using_metrics={name: concurrency(function)},
        label=lazy_string(lambda: f"{share.name} ({share.resolve()})"),
        period=PERIOD,
    )


def _planned(budget: ConnectionBudget) -> int:
    return _sum(budget, lambda part: part.shared_connections + part.pool_connections + part.external_connections)


def _sum(budget: ConnectionBudget, number: Callable[[ConnectionBudget], int]) -> int:
    parts = [budget]
    if budget.downstream is not None and budget.downstream.behind_proxy:
        # An RDS Proxy reports those who come for the writer and for the readers together.
        children = budget.downstream.construct.node.children
        parts = [child for child in children if isinstance(child, ConnectionBudget)]
    # A lazy value must not raise; where it is 0, the budget's validation fails the synth.
    try:
        return sum(map(number, parts))
    except BreakwaterError:
        return 0


def budget_name(budget: ConnectionBudget) -> str:
    """Name what a budget stands for."""
    downstream = budget.downstream
    if downstream is None:
        return budget.node.path
    server = getattr(downstream, "target", downstream)
    return downstream.construct.node.path + (" (readers)" if getattr(server, "is_readers", False) else "")
