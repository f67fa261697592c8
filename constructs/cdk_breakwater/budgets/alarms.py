"""What a connection budget shows and when it calls for help: the server's connections against the numbers at synth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aws_cdk import aws_cloudwatch as cloudwatch

from .._cdk.lazy import lazy_number, lazy_string
from ..errors import BreakwaterError
from ..monitoring.alarms import ABOVE, MAXIMUM_METRICS, PERIOD, graph, make_alarm, make_alarms
from ..monitoring.dashboard_room import MAXIMUM_WIDGET_METRICS
from ..monitoring.lambda_metrics import concurrency
from .budget import ConnectionBudget
from .connection_metrics import Connections, find_connections, held_by, proxy_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct

    from ..downstreams.downstream import Downstream
    from ..monitoring.alarm_target import AlarmTarget
    from .share import ConnectionShare

_OVERLAP = 15
"""Minutes. While a deployment replaces environments, old and new ones hold connections together."""
# An expression has 2,048 characters at most, and each function takes twenty. Source: Amazon CloudWatch API Reference,
# MetricDataQuery.
_MAXIMUM_TERMS = 100
_SHARES = MAXIMUM_WIDGET_METRICS // 2
"""In one graph: a share is an expression and its metric."""


def budget_alarms(budget: ConnectionBudget, topic_or_action: AlarmTarget | None) -> list[cloudwatch.Alarm]:
    """Make the alarms of a budget; see `ConnectionBudget.alarms`."""
    connections = find_connections(budget)
    if connections is None:
        raise BreakwaterError(
            budget,
            "nothing measures its connections: it has no database, and no function has a share yet.",
            "Call alarms() after the first share was taken.",
        )
    if len(connections.counted) > MAXIMUM_METRICS:
        return make_alarms(
            budget, partial(_by_tens, budget, connections.counted), topic_or_action, beside=connections.beside
        )
    name = budget.title

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
                    f"{name} has had more than the {planned()} planned connections for {_OVERLAP} minutes: clients "
                    "outside the budget connect (external_connections), or sessions outlive their environments."
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
                    f"All {most()} connections in the pool of {name} are in use: functions that need one wait."
                    if budget.downstream is not None and budget.downstream.behind_proxy
                    else f"{name} has {most()} connections, all that max_connections leaves for clients "
                    f"({budget.reserved_connections} are reserved for administrators). It refuses the next connection."
                )
            ),
        )
        return [above, exhausted]

    return make_alarms(budget, make, topic_or_action, beside=connections.beside)


def _by_tens(
    budget: ConnectionBudget, counted: Mapping[lambda_.IFunction, ConnectionShare], scope: Construct
) -> list[cloudwatch.Alarm]:
    """Make an alarm for every ten functions, against their own shares: one takes no more metrics."""
    functions = list(counted)
    tens = [functions[start : start + MAXIMUM_METRICS] for start in range(0, len(functions), MAXIMUM_METRICS)]
    return [
        _above_shares(budget, {function: counted[function] for function in ten}, scope, f"Connections{number}")
        for number, ten in enumerate(tens, 1)
    ]


def _above_shares(
    budget: ConnectionBudget, counted: Mapping[lambda_.IFunction, ConnectionShare], scope: Construct, id: str
) -> cloudwatch.Alarm:
    def planned() -> int:
        return sum(share.resolve() * share.connections_per_environment for share in counted.values())

    names = ", ".join(share.name for share in counted.values())
    return make_alarm(
        scope,
        id,
        held_by(counted),
        threshold=lazy_number(planned),
        comparison_operator=ABOVE,
        minutes=_OVERLAP,
        description=lazy_string(
            lambda: (
                f"{names} have held more than the {planned()} connections of their shares of {budget.title} for "
                f"{_OVERLAP} minutes."
            )
        ),
    )


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
    name, downstream = budget.title, budget.downstream
    counted = [connections.metric, *_by_environments(budget, connections)]
    return [
        graph(f"{name}: connections", counted, limits=limits),
        *(
            graph(f"{name}: concurrency, % of each share", shares[start : start + _SHARES], limits=[("share", 100)])
            for start in range(0, len(shares), _SHARES)
        ),
        *(_pool_widgets(name, downstream) if downstream is not None and downstream.behind_proxy else []),
    ]


def _by_environments(budget: ConnectionBudget, connections: Connections) -> list[cloudwatch.IMetric]:
    """Return what concurrency and connections_per_environment make of it, to compare the server's count with."""
    functions = {share.function: share for share in budget.shares if share.function is not None}
    behind_proxy = budget.downstream is not None and budget.downstream.behind_proxy
    is_told = connections.full is not None and not behind_proxy
    return [held_by(functions)] if is_told and 0 < len(functions) <= _MAXIMUM_TERMS else []


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
