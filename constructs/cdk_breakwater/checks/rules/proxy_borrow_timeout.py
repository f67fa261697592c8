"""A function hears from an RDS Proxy without free connections before its time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS
from ...limits.rds_proxy import DEFAULT_BORROW_SECONDS
from ..answers import Amount, Unknown
from ..connections import proxied_by
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the time that a proxy lets its clients wait with the timeout of its functions."""
    proxy = resource.target("DBProxyName", of="AWS::RDS::DBProxy")
    pool = ("ConnectionPoolConfigurationInfo", "ConnectionBorrowTimeout")
    borrow = resource.number(*pool, default=DEFAULT_BORROW_SECONDS)
    if proxy is None or isinstance(borrow, Unknown):
        return
    shorter: dict[Resource, Amount] = {}
    for function in proxied_by(proxy):
        timeout = function.number("Timeout", default=DEFAULT_TIMEOUT_SECONDS)
        if not isinstance(timeout, Unknown) and borrow >= timeout:
            shorter[function] = timeout
    if not shorter:
        return
    waiting = ", ".join(f"{function.name} has a timeout of {timeout:g} s" for function, timeout in shorter.items())
    yield Finding(
        resource,
        "Properties.ConnectionPoolConfigurationInfo.ConnectionBorrowTimeout",
        f"{resource.name} lets a client wait {borrow:g} s for a connection, and {waiting}.",
        found=f"{borrow:g} s",
        needed=f"less than {min(shorter.values()):g} s",
        others=tuple(shorter),
        based_on=(borrow, *shorter.values()),
    )


RULE = Rule(
    id="ProxyBorrowTimeout",
    requires="The borrow timeout of an RDS Proxy is shorter than the timeouts of its functions.",
    reason="Otherwise, when all connections are in use, a function times out while it waits, and no error says what "
    "it waited for.",
    fix="Set ConnectionBorrowTimeout to less than the functions' Timeout.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-connections.html",
    severity=Severity.NOTE,
    of=("AWS::RDS::DBProxyTargetGroup",),
    check=check,
)
