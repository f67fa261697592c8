"""A function hears from an RDS Proxy without free connections before its time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..database_functions import proxy_functions
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly

# Defaults of CloudFormation's Timeout of a function and ConnectionBorrowTimeout of a proxy.
_FUNCTION_SECONDS = 3
_BORROW_SECONDS = 120


def check(assembly: Assembly) -> Iterator[Finding]:
    """Compare the time that a proxy lets its clients wait with the timeout of its functions."""
    for targets, functions in proxy_functions(assembly):
        borrow = targets.number("ConnectionPoolConfigurationInfo", "ConnectionBorrowTimeout", default=_BORROW_SECONDS)
        for function in functions:
            timeout = function.number("Timeout", default=_FUNCTION_SECONDS)
            if borrow is not None and timeout is not None and borrow >= timeout:
                problem = (
                    f"{targets.name} lets a client wait {borrow:g} s for a connection, and {function.name} has a "
                    f"timeout of {timeout:g} s."
                )
                yield Finding(targets, "Properties.ConnectionPoolConfigurationInfo.ConnectionBorrowTimeout", problem)


RULE = Rule(
    id="ProxyBorrowTimeout",
    requires="The borrow timeout of an RDS Proxy is below the timeout of its functions.",
    reason="When all connections are taken, a function otherwise times out while it waits, and no error says for what.",
    fix="Set ConnectionBorrowTimeout to less than the functions' Timeout.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-connections.html",
    check=check,
)
