"""A function that connects to a database is limited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..database_functions import database_functions
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly


def check(assembly: Assembly) -> Iterator[Finding]:
    """Find functions without reserved concurrency."""
    for database, functions in database_functions(assembly):
        for function in functions:
            if function.get("ReservedConcurrentExecutions") is None:
                problem = f"{function.name} connects to {database.resource.name} and has no reserved concurrency."
                yield Finding(function, "Properties.ReservedConcurrentExecutions", problem)


RULE = Rule(
    id="DatabaseFunctionConcurrency",
    requires="A function that connects to a database has reserved concurrency.",
    reason="A burst makes Lambda start up to 1,000 environments in 10 seconds, and each opens a connection.",
    fix="Set ReservedConcurrentExecutions to the function's share of the database's connections, or use an RDS Proxy.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
    check=check,
)
