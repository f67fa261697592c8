"""Whether the pools of the RDS Proxies of one database fit into it together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from constructs import IConstruct

    from .budget import ConnectionBudget


class Pool(Protocol):
    """What a budget asks of the proxies before its database."""

    construct: IConstruct

    @property
    def percent(self) -> int:
        """MaxConnectionsPercent."""


def pools_error(budget: ConnectionBudget) -> str | None:
    """Return what is wrong with the proxies of a budget's database, or None.

    Together they must stay at 100 % or below (RDS User Guide, "RDS Proxy connection considerations"), and leave what
    the server keeps and what others hold.
    """
    pools = cast("tuple[Pool, ...]", budget.pools)
    held, whole = budget.pool_connections, budget.max_connections
    percents = [pool.percent for pool in pools]
    left = whole - budget.reserved_connections - budget.external_connections
    if min(percents) >= 1 and sum(percents) <= 100 and held <= left:
        return None
    named = ", ".join(f"{pool.construct.node.path} {percent} %" for pool, percent in zip(pools, percents, strict=True))
    return (
        f"MaxConnectionsPercent of its RDS Proxies ({named}) is {sum(percents)} % together, {held} of {whole} "
        f"connections, and {budget.reserved_connections} are reserved and {budget.external_connections} external. "
        f"Lower them, so that each is 1 % or more and all are {max(0, min(100, left * 100 // whole))} % or less."
    )
