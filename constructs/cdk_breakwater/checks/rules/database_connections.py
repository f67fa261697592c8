"""What the functions of a database may hold together fits into its ``max_connections``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Absent, Amount, DefaultText, Unknown
from ..connections import connected_to, others_of, reading_from
from ..rule import Finding, Rule, Severity
from ..server_limit import server_limit
from ..servers import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..connection import Connection
    from ..resource import Resource
    from ..server_limit import ServerLimit
    from ..servers import Server


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the sum of reserved concurrency with what the database can give."""
    server = server_of(resource)
    limit = server_limit(server) if server is not None else None
    if server is None or limit is None:
        return
    readers = server.most_readers
    writing, reading = connected_to(server), reading_from(server)
    if readers == 0:
        # Without a reader the reader endpoint leads to the writer: Amazon Aurora User Guide, "Reader endpoint".
        writing = [*writing, *reading]
    found = _beyond(server, limit, writing, f"{server.name} gives functions {limit.usable}")
    if found is None and readers:
        # The endpoint spreads connections by chance: only what is too much for all readers together is sure.
        all_of_them = limit._replace(usable=limit.usable * readers)
        who = f"The reader of {server.name} gives" if readers == 1 else f"The {readers} readers of {server.name} give"
        found = _beyond(server, all_of_them, reading, f"{who} functions {all_of_them.usable}")
    if found is not None:
        yield found


def _beyond(server: Server, limit: ServerLimit, connections: list[Connection], gives: str) -> Finding | None:
    holding = {
        connection.function: amount
        for connection in connections
        if not isinstance(amount := connection.at_once, Absent | Unknown)
    }
    total = sum(holding.values())
    if total <= limit.usable:
        return None
    holders = ", ".join(f"{function.name} {amount:g}" for function, amount in _sorted(holding) if amount)
    problem = (
        f"{gives} connections (max_connections {limit.limit.value}, {limit.limit.basis}), "
        f"and theirs may hold {total:g}: {holders}.{others_of([server])}"
    )
    return Finding(
        server.resource,
        "Properties",
        problem,
        found=f"{total:g} connections",
        needed=f"at most {limit.usable}",
        evidence="; ".join(sorted({connection.evidence for connection in connections})[:3]),
        others=tuple(holding),
        based_on=(*holding.values(), *(DefaultText("", name) for name in limit.parameters)),
    )


def _sorted(holding: dict[Resource, Amount]) -> list[tuple[Resource, Amount]]:
    return sorted(holding.items(), key=lambda holder: holder[0].name)


RULE = Rule(
    id="DatabaseConnections",
    requires="The functions of a database together reserve no more concurrency than its max_connections allows.",
    reason="Each environment holds a connection. Beyond the limit, the database refuses every new connection.",
    fix="Lower the functions' concurrency, or choose a larger instance class. If the limit is an estimate, set "
    "max_connections in the parameter group.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html",
    severity=Severity.DATABASE,
    of=("AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::DocDB::DBCluster"),
    check=check,
)
