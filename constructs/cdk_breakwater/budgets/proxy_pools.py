"""The RDS Proxies before one database: who they are, and whether their pools fit into it together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from .._cdk.references import references
from .._cdk.rendered import rendered, rendered_resources
from ..limits.rds_proxy import default_percent

if TYPE_CHECKING:
    from constructs import IConstruct

    from .budget import ConnectionBudget

_TARGET_GROUP = "AWS::RDS::DBProxyTargetGroup"
_ENDPOINT = "AWS::RDS::DBProxyEndpoint"
_POOL = "ConnectionPoolConfigurationInfo"


class Pool(Protocol):
    """What a budget asks of the proxies before its database."""

    @property
    def construct(self) -> IConstruct:
        """The proxy."""

    @property
    def percent(self) -> int:
        """MaxConnectionsPercent."""


class UnnamedPool(NamedTuple):
    """A proxy that the app puts before the database by itself."""

    construct: IConstruct
    percent: int


def unnamed_pools(budget: ConnectionBudget) -> tuple[Pool, ...]:
    """Find the proxies of this app that hold connections of a budget's database, and that nobody named to it.

    A percentage that is known at deployment only counts as the default. On the readers of a cluster, only a proxy with
    a read-only endpoint holds connections: the default endpoint sends all requests to the writer. Source: Aurora User
    Guide, "Working with Amazon RDS Proxy endpoints".
    """
    downstream = budget.downstream
    if downstream is None or downstream.behind_proxy:
        return ()
    resource = downstream.construct.node.default_child
    if resource is None or not downstream.is_rds:
        return ()
    named = {pool.construct.node.path for pool in budget.pools}
    found: list[UnnamedPool] = []
    for group, _ in rendered_resources(budget.node.root, _TARGET_GROUP):
        proxy = group.node.scope
        if proxy.node.path in named or not _leads_to(group, resource.node.path):
            continue
        if downstream.is_readers and not _has_read_only_endpoint(group):
            continue
        percent = rendered(group, _POOL).get(_POOL, {}).get("MaxConnectionsPercent")
        if not isinstance(percent, (int, float)):
            percent = default_percent(downstream.engine)
        found.append(UnnamedPool(proxy, int(percent)))
    return tuple(found)


def pools_error(budget: ConnectionBudget) -> str | None:
    """Return what is wrong with the proxies of a budget's database, or None.

    Together they must stay at 100 % or below (RDS User Guide, "RDS Proxy connection considerations"), and leave what
    the server keeps and what others hold.
    """
    pools = (*cast("tuple[Pool, ...]", budget.pools), *budget.unnamed_pools)
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


def _leads_to(group: Any, path: str) -> bool:
    targets = [*(group.db_instance_identifiers or []), *(group.db_cluster_identifiers or [])]
    return any(target.node.path == path for target in references(targets, group))


def _has_read_only_endpoint(group: Any) -> bool:
    endpoints = rendered_resources(group.node.root, _ENDPOINT, "TargetRole")
    return any(
        properties.get("TargetRole", "READ_WRITE") != "READ_WRITE" and _may_be_of(endpoint, group)
        for endpoint, properties in endpoints
    )


def _may_be_of(endpoint: Any, group: Any) -> bool:
    proxies = [{proxy.node.path for proxy in references(each.db_proxy_name, each)} for each in (endpoint, group)]
    # One that is known by its name alone may be any.
    return not all(proxies) or proxies[0] == proxies[1]
