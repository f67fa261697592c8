"""The pools of the RDS Proxies of a database, and the functions beside them, fit into its ``max_connections``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.engines import DatabaseEngine
from ..database_functions import database_functions
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly
    from ..database import Database
    from ..template import Resource


def check(assembly: Assembly) -> Iterator[Finding]:
    """Add up MaxConnectionsPercent, and what functions without a proxy may hold beside the pools."""
    for database, functions in database_functions(assembly):
        groups = [
            group
            for group in assembly.resources("AWS::RDS::DBProxyTargetGroup")
            if group.target("DBProxyName") in database.proxies
        ]
        percents = {group: _percent(group, database) for group in groups}
        known = {group: percent for group, percent in percents.items() if percent is not None}
        if not known:
            continue
        named = ", ".join(f"{group.name} {percent:g} %" for group, percent in known.items())
        total = sum(known.values())
        if total > 100:
            problem = f"The proxies of {database.resource.name} may take {total:g} % of its connections: {named}."
            yield Finding(groups[-1], "Properties.ConnectionPoolConfigurationInfo.MaxConnectionsPercent", problem)
            continue
        reserved = sum(function.number("ReservedConcurrentExecutions", default=0) or 0 for function in functions)
        limit, engine = database.max_connections(), database.engine
        if limit is None or engine is None or not reserved:
            continue
        pools = sum(int(limit.value * percent // 100) for percent in known.values())
        usable = max(0, limit.value - engine.reserved_connections)
        if pools + reserved > usable:
            problem = (
                f"{database.resource.name} gives {usable} connections (max_connections {limit.value}, {limit.basis}); "
                f"its proxies may hold {pools} ({named}), and functions beside them {reserved:g}."
            )
            yield Finding(groups[-1], "Properties.ConnectionPoolConfigurationInfo.MaxConnectionsPercent", problem)


def _percent(group: Resource, database: Database) -> float | None:
    # Source of the defaults: AWS::RDS::DBProxyTargetGroup ConnectionPoolConfigurationInfoFormat, MaxConnectionsPercent.
    default = 10 if database.engine is DatabaseEngine.SQL_SERVER else 100
    return group.number("ConnectionPoolConfigurationInfo", "MaxConnectionsPercent", default=default)


RULE = Rule(
    id="ProxyConnections",
    requires="The pools of all RDS Proxies of a database are within its max_connections, together with the functions "
    "that connect to it without one.",
    reason="A proxy takes what MaxConnectionsPercent says, 100 by default, and whoever comes after it is refused.",
    fix="Lower MaxConnectionsPercent; AWS advises to leave 30 %.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-connections.html",
    check=check,
)
