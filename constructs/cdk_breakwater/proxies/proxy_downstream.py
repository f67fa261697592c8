"""A database behind an RDS Proxy: what functions connect to, and how many connections the proxy's pool has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from aws_cdk import Annotations
from aws_cdk import aws_rds as rds
from constructs import Construct

from .._cdk.kinds import is_connectable
from .._cdk.references import references
from .._cdk.rendered import rendered
from .._cdk.whole_numbers import required_number
from ..budgets.budget import ConnectionBudget
from ..downstreams.downstream import Downstream
from ..downstreams.rds import RdsDownstream
from ..errors import BreakwaterError
from ..limits.engines import DatabaseEngine
from ..limits.max_connections import MaxConnections, UnknownMaxConnections
from ..limits.rds_proxy import default_percent
from .database_proxy import DatabaseProxy

if TYPE_CHECKING:
    from aws_cdk import Duration
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_iam as iam
    from constructs import IConstruct

    from ..downstreams.credentials import DatabaseCredentials
    from ..downstreams.database_types import Database, Proxy
    from ..downstreams.proxy_options import ProxyOptions

# At least 30 % stay for everyone else. Source: RDS User Guide, "Planning where to use RDS Proxy", connection settings.
MOST_PERCENT = 70
# The L2's name for it.
_TARGET_GROUP = "ProxyTargetGroup"
_POOL = "ConnectionPoolConfigurationInfo"

_KNOWN: dict[tuple[Any, str], ProxyDownstream] = {}


class ProxyDownstream(Downstream):
    """A database behind an RDS Proxy. Made with `Downstream.proxy` or `VpcDatabaseFunction(proxy=…)`.

    Its connections are those of the proxy's pool, MaxConnectionsPercent of the database's `max_connections`; the
    database's own budget divides what the pools leave.

    Attributes
    ----------
    target : RdsDownstream
        What is behind the proxy.
    database_proxy : rds.IDatabaseProxy
        The proxy.
    """

    behind_proxy = True

    def __init__(self, database: RdsDownstream, proxy: Proxy, own: DatabaseProxy | None) -> None:
        self.target = database
        self.database_proxy = proxy
        self._own = own
        self._given: int | None = None
        host = proxy.endpoint
        if database.is_readers:
            if own is None:
                raise BreakwaterError(
                    proxy,
                    f"it connects to the writer of {database.construct.node.path}, and its readers are requested.",
                    "Pass proxy=True, or describe its read-only endpoint with Downstream.endpoint(…).",
                )
            host = own.read_only_endpoint()
        super().__init__(
            # What is imported comes through jsii as an interface, and nothing can stand beneath it.
            proxy
            if isinstance(proxy, Construct)
            else Construct(cast("Construct", proxy.node.scope), f"{proxy.node.id}Pool"),
            engine=database.engine,
            host=host,
            # Whatever the database's own. Source: RDS User Guide, "Quotas and limitations for RDS Proxy": all proxies
            # listen on the engine's default port.
            port=database.engine.default_port,
            secret=database.secret,
            database_name=database.database_name,
            connectable=proxy if is_connectable(proxy) else None,
        )
        self.budget_id = database.budget_id

    @staticmethod
    def before(
        database: Database,
        proxy: Proxy | Literal[True],
        *,
        where: str,
        vpc: ec2.IVpc | None = None,
        percent: int | None = None,
        options: ProxyOptions | None = None,
    ) -> ProxyDownstream:
        """Look at a database through a proxy; see `Downstream.proxy`."""
        target = Downstream.of(database)
        if isinstance(target, ProxyDownstream) and proxy is True:
            return target
        if not isinstance(target, RdsDownstream):
            raise BreakwaterError(
                where,
                f"proxy={proxy!r} is given, and {target.construct.node.path} is not a database of RDS or Aurora.",
                "Leave proxy out.",
            )
        if target.engine is DatabaseEngine.ORACLE:
            raise BreakwaterError(
                where,
                f"proxy={proxy!r} is given, and RDS Proxy does not speak the protocol of Oracle.",
                "Leave proxy out.",
            )
        if target.is_replica:
            raise BreakwaterError(
                where,
                f"proxy={proxy!r} is given, and {target.construct.node.path} is a read replica, before which RDS puts "
                "no proxy.",
                "Leave proxy out, or use the readers of an Aurora cluster.",
            )
        budget = ConnectionBudget.of(target)
        _say_who_keeps_it_awake(target)
        if percent is not None:
            percent = required_number(target.construct, "max_connections_percent", percent)
            if percent > 100:
                raise BreakwaterError(where, f"max_connections_percent must be 1 to 100 (given {percent}).", "")
        own = None
        if proxy is True:
            # A database that two stacks import has one budget, and with it one proxy.
            owner = budget.downstream or target
            own = DatabaseProxy.of(owner, vpc, _percent_or_one, where, options or {})
            proxy = own.proxy
        elif options:
            raise BreakwaterError(
                where,
                f"{', '.join(options)} is for a proxy that this library creates, and a proxy is given.",
                "Set it on that proxy.",
            )
        elif (other := _leads_elsewhere(proxy, target)) is not None:
            raise BreakwaterError(
                where,
                f"the proxy {proxy.node.path} leads to {other}, and not to {target.construct.node.path}.",
                "Pass proxy=True, or a proxy of this database.",
            )
        found = _KNOWN.get((proxy, target.budget_id))
        if found is None:
            found = _KNOWN[proxy, target.budget_id] = ProxyDownstream(target, proxy, own)
            budget.add_pool(found)
            ConnectionBudget.of(found)
        if percent is not None:
            found._set_percent(percent)
        return found

    @property
    def server(self) -> Downstream:
        """What is behind the proxy."""
        return self.target

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{super().title} (readers)" if self.target.is_readers else super().title

    @property
    def reserved_connections(self) -> int:
        """None: what the server keeps lies outside of the pool."""
        return 0

    @property
    def is_own(self) -> bool:
        """Whether this library made the proxy, and sets its percentage."""
        return self._own is not None

    @property
    def percent(self) -> int:
        """MaxConnectionsPercent: given, what others leave of 70 for a proxy of our own, or the proxy's own setting.

        Raises
        ------
        UnknownMaxConnections
            When the proxy is imported, or the number is a token.
        """
        if self._own is not None:
            return _percent_of_own(self._own)
        if self._given is not None:
            return self._given
        group: Any = self.database_proxy.node.try_find_child(_TARGET_GROUP)
        if group is None:
            msg = "it is imported, so nothing in the app states its MaxConnectionsPercent."
            raise UnknownMaxConnections(msg, "Pass Downstream.proxy(database, proxy, max_connections_percent=…).")
        name = "ConnectionPoolConfigurationInfo"
        percent = rendered(group, name).get(name, {}).get("MaxConnectionsPercent", default_percent(self.engine))
        if not isinstance(percent, (int, float)):
            msg = "its MaxConnectionsPercent is a token and known only at deployment."
            raise UnknownMaxConnections(msg, "Pass Downstream.proxy(database, proxy, max_connections_percent=…).")
        return int(percent)

    def max_connections(self) -> MaxConnections:
        """Take MaxConnectionsPercent of what the database's budget starts from."""
        percent = self.percent
        whole = ConnectionBudget.of(self.target).found()
        return MaxConnections(
            whole.value * percent // 100, f"{percent} % of {whole.value}, {whole.basis}", whole.estimated
        )

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> iam.Grant:
        """Allow IAM authentication to the proxy as one user."""
        return self.database_proxy.grant_connect(grantee, user)

    def register_function(self, function: Construct, credentials: DatabaseCredentials, timeout: Duration) -> None:
        """Let a proxy of our own know a function's login and timeout; let the function wait for what is behind it."""
        group = self.database_proxy.node.try_find_child(_TARGET_GROUP)
        if group is not None:
            # It may be invoked as soon as it exists, and a proxy without a target refuses everyone.
            cast("IConstruct", function.node.default_child).node.add_dependency(group)
        if self._own is not None:
            self._own.register_function(function, credentials, timeout)

    def _set_percent(self, percent: int) -> None:
        # The writer's and the readers' endpoint of a proxy of our own have one target group.
        given = self._given if self._own is None else self._own.given_percent
        if given not in (None, percent):
            raise BreakwaterError(
                self.construct, f"max_connections_percent={percent} is given after {given}.", "Give it once."
            )
        if self._own is None:
            self._set_in_template(percent)
            self._given = percent
        else:
            self._own.given_percent = percent

    def _set_in_template(self, percent: int) -> None:
        group: Any = self.database_proxy.node.try_find_child(_TARGET_GROUP)
        if group is None:
            return
        says = rendered(group, _POOL).get(_POOL, {}).get("MaxConnectionsPercent")
        if says in (None, default_percent(self.engine)):  # which the CDK writes where nothing was given
            group.add_property_override(f"{_POOL}.MaxConnectionsPercent", percent)
        elif says != percent:
            raise BreakwaterError(
                self.construct,
                f"max_connections_percent={percent} is given, and the proxy says {says}.",
                "Leave it out, or set max_connections_percent of the proxy itself.",
            )

    def _others(self) -> int:
        pools = cast("tuple[ProxyDownstream, ...]", ConnectionBudget.of(self.target).pools)
        return sum(pool.percent for pool in pools if not pool.is_own)


def _say_who_keeps_it_awake(database: RdsDownstream) -> None:
    name = "ServerlessV2ScalingConfiguration"
    scaling = None if database.resource is None else rendered(database.resource, name).get(name)
    if scaling and scaling.get("MinCapacity") == 0:
        # Source: Amazon Aurora User Guide, "Scaling to Zero ACUs with automatic pause and resume for Aurora Serverless
        # v2": a cluster with an RDS Proxy does not pause.
        Annotations.of(database.construct).add_info_v2(
            "cdk-breakwater:never-paused",
            "Its minimum is 0 ACU, and the RDS Proxy before it keeps a connection open: so it never pauses.",
        )


def _percent_of_own(own: DatabaseProxy) -> int:
    if own.given_percent is not None:
        return own.given_percent
    return MOST_PERCENT - max(pool._others() for pool in _KNOWN.values() if pool._own is own)


def _percent_or_one(own: DatabaseProxy) -> int:
    # A lazy value must not raise, and what is no percentage fails the synth in the budgets' validation.
    try:
        return max(1, _percent_of_own(own))
    except UnknownMaxConnections:
        return 1


def _leads_elsewhere(proxy: Any, target: RdsDownstream) -> str | None:
    """Return the path of the database of this app that a proxy of this app leads to, where it is another one."""
    group = proxy.node.try_find_child(_TARGET_GROUP) if isinstance(proxy, Construct) else None
    if target.resource is None or not isinstance(group, rds.CfnDBProxyTargetGroup):
        return None
    found = references([group.db_instance_identifiers, group.db_cluster_identifiers], group)
    others = [each for each in found if isinstance(each, (rds.CfnDBInstance, rds.CfnDBCluster))]
    if not others or target.resource.node.path in [each.node.path for each in others]:
        return None
    return str(others[0].node.path).removesuffix("/Resource")
