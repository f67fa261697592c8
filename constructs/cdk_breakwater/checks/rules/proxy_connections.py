"""The pools of the RDS Proxies of a database, and the functions beside them, fit into its ``max_connections``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.rds_proxy import default_percent
from ..answers import Absent, Amount, Unknown
from ..connections import connected_to
from ..referring_resources import referring_to
from ..rule import Finding, Rule, Severity
from ..server_limit import server_limit
from ..servers import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource
    from ..servers import Server

_LOCATION = "Properties.ConnectionPoolConfigurationInfo.MaxConnectionsPercent"


def check(resource: Resource) -> Iterator[Finding]:
    """Add up MaxConnectionsPercent, and what functions without a proxy may hold beside the pools."""
    server = server_of(resource)
    if server is None or not server.proxies:
        return
    known = {
        group: percent
        for proxy in server.proxies
        for group in referring_to(proxy, "AWS::RDS::DBProxyTargetGroup", "DBProxyName", of=proxy.type)
        if not isinstance(percent := _percent(group, server), Unknown)
    }
    if not known:
        return
    named = ", ".join(f"{group.name} {percent:g} %" for group, percent in known.items())
    total = sum(known.values())
    if total > 100:
        yield Finding(
            list(known)[-1],
            _LOCATION,
            f"The proxies of {server.name} may take {total:g} % of its connections: {named}.",
            found=f"{total:g} %",
            needed="at most 100 % in all",
            others=(resource, *known),
            based_on=tuple(known.values()),
        )
        return
    holding = {
        connection.function: amount
        for connection in connected_to(server)
        if not isinstance(amount := connection.at_once, Absent | Unknown)
    }
    beside, limit = sum(holding.values()), server_limit(server)
    if limit is None or not beside:
        return
    pools = sum(int(limit.limit.value * percent // 100) for percent in known.values())
    if pools + beside > limit.usable:
        problem = (
            f"{server.name} gives {limit.usable} connections (max_connections {limit.limit.value}, "
            f"{limit.limit.basis}); its proxies may hold {pools} ({named}), and functions beside them {beside:g}."
        )
        yield Finding(
            list(known)[-1],
            _LOCATION,
            problem,
            found=f"{pools + beside:g} connections",
            needed=f"at most {limit.usable}",
            evidence="; ".join(sorted({each.evidence for each in connected_to(server)})[:3]),
            others=(resource, *known, *holding),
            based_on=(*known.values(), *holding.values()),
        )


def _percent(group: Resource, server: Server) -> Amount | Unknown:
    default = default_percent(server.engine)
    return group.number("ConnectionPoolConfigurationInfo", "MaxConnectionsPercent", default=default)


RULE = Rule(
    id="ProxyConnections",
    requires="The pools of all RDS Proxies of a database, together with the functions that connect without a proxy, "
    "stay within its max_connections.",
    reason="A proxy takes up to MaxConnectionsPercent of the connections, 100 by default. Other clients are then "
    "refused.",
    fix="Lower MaxConnectionsPercent. AWS advises leaving 30 %.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-connections.html",
    severity=Severity.DATABASE,
    of=("AWS::RDS::DBCluster", "AWS::RDS::DBInstance"),
    check=check,
)
