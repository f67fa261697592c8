"""A function that connects to a database is limited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT
from ..concurrency import most_at_once
from ..connections import direct_connections, others_of
from ..rule import Finding, Rule, Severity
from ..server_limit import server_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a function without a limit that opens connections itself."""
    if most_at_once(resource) is not ABSENT:
        return
    direct = direct_connections(resource)
    if not direct:
        return
    scheduled = direct[0].scheduled
    to = ", ".join(dict.fromkeys(connection.to for connection in direct))
    servers = [connection.server for connection in direct if connection.server]
    known = [limit for server in servers if (limit := server_limit(server))]
    gives = f"at most {min(limit.usable for limit in known)}" if known else "a share of its connections"
    unknown = "" if servers else ", whose limit is unknown here,"
    called = "; only a schedule calls it" if scheduled else ""
    yield Finding(
        resource,
        "Properties.ReservedConcurrentExecutions",
        f"{resource.name} connects to {to}{unknown} and has no reserved concurrency{called}.{others_of(servers)}",
        found="no limit",
        needed=gives,
        evidence="; ".join(dict.fromkeys(connection.evidence for connection in direct)),
        others=tuple(server.resource for server in servers),
        severity=Severity.NOTE if scheduled or all(connection.carries_a_burst for connection in direct) else None,
    )


RULE = Rule(
    id="DatabaseFunctionConcurrency",
    requires="A function that connects to a database has reserved concurrency.",
    reason="In a burst, Lambda starts up to 1,000 environments in 10 seconds, and each of them opens a connection.",
    fix="Set ReservedConcurrentExecutions to the function's share of the database's connections, or connect through "
    "RDS Proxy.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
    severity=Severity.DATABASE,
    of=("AWS::Lambda::Function",),
    check=check,
)
