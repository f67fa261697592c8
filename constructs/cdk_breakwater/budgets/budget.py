"""How many of a downstream's connections functions may hold in all, and each function's part of them."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from constructs import Construct

from .._cdk.app_identity import app_identity
from .._cdk.arguments import ABOVE_ZERO, TEXT, require
from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_any, lazy_string
from .._cdk.whole_numbers import required_number
from ..downstreams.downstream import Downstream
from ..errors import BreakwaterError
from ..limits.max_connections import MaxConnections, UnknownMaxConnections
from .assembly_metadata import METADATA, description
from .budget_division import BudgetDivision
from .budget_validation import budget_errors
from .proxy_pools import Pool, unnamed_pools
from .share import ConnectionShare
from .shared_imported_database import existing_budget, require_one_number

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch

    from ..downstreams.database_types import Database
    from ..monitoring.alarm_target import AlarmTarget

# jsii keeps Python objects by weak reference: without this one, a budget whose last Python reference is gone would
# come back from the construct tree as a bare Construct, its shares forgotten.
_BUDGETS_BY_APP: defaultdict[str, list[ConnectionBudget]] = defaultdict(list)


class ConnectionBudget(Construct):
    """The connections that functions may hold to one downstream, divided into shares.

    A database has one budget, shared by all functions that name the database. `ConnectionBudget.of` finds the budget,
    or creates it.

    Once a deployment is complete, all shares together stay within the budget. During the deployment they may exceed it:
    CloudFormation changes functions in any order, creates new functions before it deletes old ones, and a stack that is
    deployed alone leaves the shares in other stacks as they were. `breakwater plan --diff` shows the worst instant
    before you deploy.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    max_connections
        Connections that the downstream accepts. Default: read from the database at synth, see `basis`.
    external_connections
        Connections held by clients outside this app: other services, administrators, migrations. Default 0.
    utilization
        The part of the usable connections that is divided into shares, above 0 and at most 1. The rest is for sessions
        that outlive their environments. A deployment that changes shares may need more than that while it lasts:
        `breakwater plan --diff` shows how much. Default 0.8.
    guard_deployments
        Keep the reservations within the budget at every instant of a deployment. A custom resource lowers reservations
        before CloudFormation changes a function, returns the reservation that CloudFormation may set, and raises
        reservations after removed functions are gone. A change that can't be made this way fails before anything is
        changed. See docs/deployments.md for what the guard relies on. Default False.

    Raises
    ------
    BreakwaterError
        When a number is a token or out of range.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        max_connections: int | None = None,
        external_connections: int = 0,
        utilization: float = 0.8,
        guard_deployments: bool = False,
    ) -> None:
        super().__init__(scope, id)
        self._downstream: Downstream | None = None
        self._shares: list[ConnectionShare] = []
        self._pools: list[Downstream] = []
        self._unnamed: tuple[Pool, ...] | None = None
        of_app = _BUDGETS_BY_APP[app_identity(self)]
        self.division = BudgetDivision(self, of_app)
        self._settled: MaxConnections | None = None
        self.guards_deployments = guard_deployments
        self._kept = False
        self._configure(max_connections, external_connections, utilization)
        validate_at_synth(self, partial(budget_errors, self, of_app))
        self.node.add_metadata(METADATA, lazy_any(lambda: description(self)))
        of_app.append(self)

    def _configure(self, max_connections: int | None, external_connections: int, utilization: float) -> None:
        self._given = None if max_connections is None else required_number(self, "max_connections", max_connections)
        self.external_connections = required_number(self, "external_connections", external_connections, minimum=0)
        require(self, {"utilization": utilization}, {"utilization": ABOVE_ZERO}, needed=("utilization",))
        if not 0 < utilization <= 1:
            raise BreakwaterError(
                self, f"utilization must be above 0 and at most 1 (given {utilization}).", "The default is 0.8."
            )
        self.utilization = utilization

    @staticmethod
    def of(
        database: Database,
        *,
        max_connections: int | None = None,
        external_connections: int | None = None,
        utilization: float | None = None,
        guard_deployments: bool | None = None,
    ) -> ConnectionBudget:
        """Return the one budget of a database.

        Parameters
        ----------
        database
            Whatever `Downstream.of` takes.
        max_connections, external_connections, utilization, guard_deployments
            As for `ConnectionBudget`. They can be given only before the first share is taken.

        Raises
        ------
        BreakwaterError
            When the database is not a downstream, or when a number is given after the first share was taken.
        """
        downstream = Downstream.of(database)
        budget = existing_budget(downstream, _BUDGETS_BY_APP[app_identity(downstream.construct)])
        options = {
            "max_connections": max_connections,
            "external_connections": external_connections,
            "utilization": utilization,
            "guard_deployments": guard_deployments,
        }
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        if budget is None:
            budget = ConnectionBudget(cast("Construct", downstream.construct), downstream.budget_id, **given)
            budget._downstream = downstream
            return budget
        require_one_number(budget, downstream)
        now = {
            "max_connections": budget._given,
            "external_connections": budget.external_connections,
            "utilization": budget.utilization,
            "guard_deployments": budget.guards_deployments,
        }
        given = {name: value for name, value in given.items() if value != now[name]}
        if given:
            if budget._shares:
                raise BreakwaterError(
                    budget,
                    f"{', '.join(given)} given after the first share was taken.",
                    f"Call ConnectionBudget.of(database, {', '.join(given)}=…) before {budget._shares[0].name}.",
                )
            budget._configure(
                given.get("max_connections", budget._given),
                given.get("external_connections", budget.external_connections),
                given.get("utilization", budget.utilization),
            )
            budget.guards_deployments = given.get("guard_deployments", budget.guards_deployments)
        return budget

    def share(
        self,
        name: str,
        *,
        weight: float | None = None,
        concurrency: int | None = None,
        connections_per_environment: int | None = None,
    ) -> ConnectionShare:
        """Take a share of the budget.

        Parameters
        ----------
        name
            Name of the holder, unique in this budget. The constructs use their path.
        weight
            Part of the connections that fixed shares leave, relative to the other weights. Default 1.
        concurrency
            A fixed share instead of a weight: this many environments, 1 or more.
        connections_per_environment
            Connections that each environment holds, 1 or more. An engine or a pool that the function itself creates may
            hold several. Default: 1 is assumed, and `breakwater plan` says so.

        Raises
        ------
        BreakwaterError
            When the name is taken, when both weight and concurrency are given, or when a number is a token or out of
            range.
        """
        require(self, {"name": name}, {"name": TEXT}, needed=("name",))
        require(self, {f"weight of {name!r}": weight}, {f"weight of {name!r}": ABOVE_ZERO})
        if any(share.name == name for share in self._shares):
            raise BreakwaterError(self, f"the share {name!r} already exists.", "Give each share its own name.")
        if weight is not None and concurrency is not None:
            raise BreakwaterError(
                self,
                f"the share {name!r} has both weight={weight} and concurrency={concurrency}.",
                "Give one of them: a weight for a part, a concurrency for a fixed number.",
            )
        share = ConnectionShare(
            self,
            name,
            weight=Fraction(1 if weight is None else weight),
            fixed=None if concurrency is None else required_number(self, f"concurrency of {name!r}", concurrency),
            connections_per_environment=None
            if connections_per_environment is None
            else required_number(self, f"connections_per_environment of {name!r}", connections_per_environment),
        )
        self._shares.append(share)
        self.recompute()
        return share

    @property
    def shares(self) -> tuple[ConnectionShare, ...]:
        """The shares taken so far."""
        return tuple(self._shares)

    @property
    def downstream(self) -> Downstream | None:
        """The downstream that the budget belongs to, or None for a budget without one."""
        return self._downstream

    @property
    def title(self) -> str:
        """The name in tables and dashboards: that of the database, if the budget belongs to one."""
        return self.node.path if self._downstream is None else self._downstream.title

    def alarms(self, topic_or_action: AlarmTarget | None = None) -> list[cloudwatch.Alarm]:
        """Add two alarms, once: more connections than planned for 15 minutes, and all connections of clients in use.

        Parameters
        ----------
        topic_or_action
            The topic or the action of each alarm. Default: none. The alarms are then visible in the console only.

        Raises
        ------
        BreakwaterError
            When nothing measures the connections, because there is no database, and no function has a share yet.
        """
        from .alarms import budget_alarms

        return budget_alarms(self, topic_or_action)

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return dashboard widgets: connections against max_connections, concurrency of each share taken so far."""
        from .alarms import budget_widgets

        return budget_widgets(self)

    @property
    def max_connections(self) -> int:
        """Connections that the downstream accepts.

        Raises
        ------
        BreakwaterError
            When nothing in the app states the number.
        """
        return self.found().value

    @cached_property
    def max_connections_token(self) -> str:
        """`max_connections` as a token, one for all functions, because the CDK reads a stable lazy value once."""
        return lazy_string(lambda: str(self._max_connections_or_zero()))

    def _max_connections_or_zero(self) -> int:
        # A lazy value must not raise; where it is 0, the budget's validation fails the synth.
        try:
            return self.max_connections
        except BreakwaterError:
            return 0

    @property
    def basis(self) -> str:
        """Where `max_connections` comes from, as a text."""
        return self.found().basis

    @property
    def reserved_connections(self) -> int:
        """Connections that the server keeps for administrators and for AWS's agents; see `DatabaseEngine`."""
        return 0 if self._downstream is None else self._downstream.reserved_connections

    @property
    def usable_connections(self) -> int:
        """`max_connections` less reserved connections, external connections and the pools of proxies; never below 0."""
        others = self.reserved_connections + self.external_connections + self.pool_connections
        return max(0, self.max_connections - others)

    @property
    def pools(self) -> tuple[Downstream, ...]:
        """The RDS Proxies of this app that hold connections to the database. Each has a budget of its own."""
        return tuple(self._pools)

    @property
    def pool_connections(self) -> int:
        """Connections that the pools of all RDS Proxies may hold together, including those in `unnamed_pools`."""
        named = sum(ConnectionBudget.of(pool).max_connections for pool in self._pools)
        return named + sum(self.max_connections * pool.percent // 100 for pool in self.unnamed_pools)

    @property
    def unnamed_pools(self) -> tuple[Pool, ...]:
        """RDS Proxies that the app puts in front of the database without `Downstream.proxy`."""
        if self._unnamed is None:
            self._unnamed = unnamed_pools(self)
        return self._unnamed

    def add_pool(self, pool: Downstream) -> None:
        """Reserve a part of the connections for the pool of an RDS Proxy."""
        self._pools.append(pool)
        self.recompute()

    @property
    def shared_connections(self) -> int:
        """Connections that are divided into shares: the usable connections times the utilization, rounded down."""
        # A Fraction of the decimal that the user typed: 0.29 * 100 is 28.999999999999996 in floating point.
        return math.floor(self.usable_connections * Fraction(str(self.utilization)))

    def found(self) -> MaxConnections:
        """Find `max_connections` and its basis.

        Raises
        ------
        BreakwaterError
            When nothing in the app states the number.
        """
        if self._settled is not None:
            return self._settled
        if self._given is not None:
            return MaxConnections(self._given, "max_connections given")
        try:
            if self._downstream is None:
                msg = "it belongs to no database of this app."
                raise UnknownMaxConnections(msg)
            return self._downstream.max_connections()
        except UnknownMaxConnections as unknown:
            call = "ConnectionBudget(…, max_connections=…)"
            if self._downstream is not None and self._downstream.behind_proxy:
                raise BreakwaterError(self, unknown.problem, unknown.remedy) from unknown
            if self._downstream is not None:
                call = "ConnectionBudget.of(database, max_connections=…) before its first function"
            raise BreakwaterError(self, str(unknown), f"Call {call}.") from unknown

    def keep_in_deployments(self) -> None:
        """Order a change of the server's own limit among those of the functions, if the app has the database."""
        if self.guards_deployments and self._downstream is not None and not self._kept:
            from .deployment_guard import DeploymentGuard

            self._kept = True
            DeploymentGuard.of(self).keep(self)

    def contradiction(self) -> str | None:
        """Return what is wrong with the given `max_connections` if the template sets a lower one, else None."""
        if self._given is None or self._downstream is None:
            return None
        try:
            told = self._downstream.max_connections()
        except UnknownMaxConnections:
            return None
        if not told.stated or self._given <= told.value:
            return None
        return (
            f"max_connections={self._given} is given, and the template sets {told.value} ({told.basis}). Set it there, "
            "or leave max_connections out."
        )

    def recompute(self) -> None:
        """Discard the division, because a share has changed."""
        self._unnamed = None
        self.division.forget()

    def settle(self) -> MaxConnections:
        """Read the database one last time, so that changes made by Aspects count.

        Nothing changes between the validation and the template, and a look takes some twenty jsii calls.

        Raises
        ------
        BreakwaterError
            When nothing in the app tells `max_connections`.
        """
        self.recompute()
        self._settled = None
        self._settled = self.found()
        return self._settled
