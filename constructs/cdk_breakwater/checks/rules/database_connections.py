"""What the functions of a database may hold together fits into its ``max_connections``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..database_functions import database_functions
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly


def check(assembly: Assembly) -> Iterator[Finding]:
    """Compare the sum of reserved concurrency with what the database can give."""
    for database, functions in database_functions(assembly):
        limit, engine = database.max_connections(), database.engine
        if limit is None or engine is None:
            continue
        reserved = {
            function.name: function.number("ReservedConcurrentExecutions", default=0) or 0 for function in functions
        }
        total, usable = sum(reserved.values()), max(0, limit.value - engine.reserved_connections)
        if total > usable:
            holders = ", ".join(
                f"{name} {concurrency:g}" for name, concurrency in sorted(reserved.items()) if concurrency
            )
            problem = (
                f"{database.resource.name} gives functions {usable} connections (max_connections {limit.value}, "
                f"{limit.basis}), and theirs may hold {total:g}: {holders}."
            )
            yield Finding(database.resource, "Properties", problem)


RULE = Rule(
    id="DatabaseConnections",
    requires="The reserved concurrency of all functions of a database is within its max_connections.",
    reason="Each environment holds a connection; beyond the limit the server refuses everyone who comes.",
    fix="Lower the functions' concurrency, choose a larger class, or, where the limit is an estimate, set "
    "max_connections in the parameter group.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html",
    check=check,
)
