"""What the functions of a database may hold together fits into its ``max_connections``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Absent, Amount, DefaultText, Unknown
from ..connections import connected_to, others_of
from ..rule import Finding, Rule, Severity
from ..server_limit import server_limit
from ..servers import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the sum of reserved concurrency with what the database can give."""
    server = server_of(resource)
    limit = server_limit(server) if server is not None else None
    if server is None or limit is None:
        return
    holding = {
        connection.function: amount
        for connection in connected_to(server)
        if not isinstance(amount := connection.at_once, Absent | Unknown)
    }
    total = sum(holding.values())
    if total <= limit.usable:
        return
    holders = ", ".join(f"{function.name} {amount:g}" for function, amount in _sorted(holding) if amount)
    problem = (
        f"{server.name} gives functions {limit.usable} connections (max_connections {limit.limit.value}, "
        f"{limit.limit.basis}), and theirs may hold {total:g}: {holders}."
        f"{others_of([server])}"
    )
    yield Finding(
        resource,
        "Properties",
        problem,
        found=f"{total:g} connections",
        needed=f"at most {limit.usable}",
        evidence="; ".join(sorted({connection.evidence for connection in connected_to(server)})[:3]),
        others=tuple(holding),
        based_on=(*holding.values(), *(DefaultText("", name) for name in limit.parameters)),
    )


def _sorted(holding: dict[Resource, Amount]) -> list[tuple[Resource, Amount]]:
    return sorted(holding.items(), key=lambda holder: holder[0].name)


RULE = Rule(
    id="DatabaseConnections",
    requires="The reserved concurrency of all functions of a database is within its max_connections.",
    reason="Each environment holds a connection; beyond the limit the server refuses everyone who comes.",
    fix="Lower the functions' concurrency, choose a larger class, or, where the limit is an estimate, set "
    "max_connections in the parameter group.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html",
    severity=Severity.DATABASE,
    of=("AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::DocDB::DBCluster"),
    check=check,
)
