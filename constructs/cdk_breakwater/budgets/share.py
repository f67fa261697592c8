"""One function's part of a connection budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from .._cdk.arguments import shown
from .._cdk.function_qualifiers import unqualified
from ..errors import BreakwaterError
from ..limits.apportionment import Claim
from .account_reservations import environment_of
from .share_concurrency import Concurrency

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from aws_cdk import aws_lambda as lambda_
    from constructs import IConstruct

    from .._cdk.parameter_types import Function
    from .budget import ConnectionBudget

_SHARES: dict[lambda_.IFunction, ConnectionShare] = {}


@dataclass(frozen=True)
class FollowingMapping:
    """A queue's mapping whose MaximumConcurrency is a part of its function's share."""

    resource: lambda_.CfnEventSourceMapping
    part: Callable[[], int]


class ConnectionShare:
    """A part of a budget, taken with `ConnectionBudget.share` and not made by hand."""

    def __init__(
        self,
        budget: ConnectionBudget,
        name: str,
        *,
        weight: Fraction,
        fixed: int | None,
        connections_per_environment: int | None,
    ) -> None:
        self.budget = budget
        self.name = name
        self.connections_per_environment = 1 if connections_per_environment is None else connections_per_environment
        self.connections_assumed = connections_per_environment is None
        self.function: lambda_.IFunction | None = None
        self.reserves: lambda_.IFunction | None = None
        self.weight = weight
        self.fixed = fixed
        self.minimum = 1
        self._overlaps = 1
        self._joined: list[ConnectionShare] = [self]
        self._mappings: list[FollowingMapping] = []

    @staticmethod
    def of(function: Function) -> ConnectionShare | None:
        """Return the share that bounds a function, an alias or a version, or None."""
        return _SHARES.get(unqualified(function))

    @property
    def concurrency(self) -> Concurrency:
        """How many environments may run at once, for any property of an L1 or L2: a token, unless it is fixed."""
        return Concurrency.of(self)

    def resolve(self) -> int:
        """Compute the concurrency; final only at synth, when every share has been taken."""
        return self.budget.division.concurrency_of(self)

    @property
    def granted(self) -> int:
        """What the databases grant, whatever the account can reserve."""
        return self.budget.division.granted_to(self)

    @property
    def limited_by_account(self) -> bool:
        """Whether it is smaller than that, since the account's concurrency does not reach."""
        return self.resolve() < self.granted

    @cached_property
    def environment(self) -> str:
        """The account and Region that its function's concurrency is taken from."""
        return environment_of(cast("IConstruct", self.reserves))

    @property
    def claim(self) -> Claim:
        """What the share asks of the budget."""
        return Claim(
            self.weight,
            self.fixed,
            self.minimum,
            self.connections_per_environment * self._overlaps,
            f"{self._joined[0].budget.node.path} {self._joined[0].name}" if len(self._joined) > 1 else None,
        )

    @property
    def reason(self) -> str:
        """Why the share needs what it needs, for messages."""
        text = f"weight {float(self.weight):g}" if self.fixed is None else f"concurrency={self.fixed}"
        if self.fixed is None and self.minimum > 1:
            text += f", at least {self.minimum}"
        if self.connections_per_environment > 1:
            text += f", {self.connections_per_environment} connections each"
        elif self.connections_assumed:
            text += ", 1 connection each (assumed)"
        if self._overlaps > 1:
            text += ", twice: old and new environments hold theirs together"
        if len(self._joined) > 1:
            text += f", the smallest of its {len(self._joined)} shares"
        if self.limited_by_account:
            text += f", of {self.granted}: the account's concurrency binds"
        return text

    @property
    def joined(self) -> tuple[ConnectionShare, ...]:
        """The shares of one function in the budgets of all its databases, this one among them."""
        return tuple(self._joined)

    def join(
        self, budget: ConnectionBudget, name: str, *, connections_per_environment: int | None = None
    ) -> ConnectionShare:
        """Take a part of a further budget for the same function, which then has the smallest of its shares.

        Parameters
        ----------
        budget
            The further database's.
        name
            Who holds it; unique in that budget.
        connections_per_environment
            Connections to that database that each environment holds, 1 or more. Default: 1 is assumed.

        Raises
        ------
        BreakwaterError
            As for `ConnectionBudget.share`.
        """
        share = budget.share(
            name,
            weight=None if self.fixed is not None else float(self.weight),
            concurrency=self.fixed,
            connections_per_environment=connections_per_environment,
        )
        share.function = self.function
        share.minimum, share._overlaps = self.minimum, self._overlaps
        share._joined = self._joined
        self._joined.append(share)
        self.budget.recompute()
        self._guard()
        return share

    def require(self, minimum: int, reason: str) -> None:
        """Raise the least concurrency that the share can work with.

        Parameters
        ----------
        minimum
            The least concurrency.
        reason
            Why, for messages.

        Raises
        ------
        BreakwaterError
            When the share is fixed below it.
        """
        if self.fixed is not None and self.fixed < minimum:
            raise BreakwaterError(
                self.name,
                f"its share is fixed at concurrency={self.fixed}, and it needs at least {minimum}: {reason}.",
                f"Pass concurrency={minimum} or more.",
            )
        if minimum > self.minimum:
            for share in self._joined:
                share.minimum = minimum
            self.budget.recompute()

    def bind(self, function: lambda_.IFunction, *, reserve: bool) -> None:
        """Note which function the share bounds, and whether by reserved concurrency."""
        self.function = function
        self.reserves = function if reserve else None
        _SHARES[function] = self
        self._guard()

    @property
    def is_guarded(self) -> bool:
        """Whether a deployment guard answers the reservation, since one of the budgets asks for that."""
        return any(share.budget.guards_deployments for share in self._joined)

    def _guard(self) -> None:
        holder = self._joined[0]
        if holder.reserves is not None and self.is_guarded:
            from .deployment_guard import DeploymentGuard

            DeploymentGuard.of(holder.reserves).govern(holder)
            for share in self._joined:
                share.budget.keep_in_deployments()

    @property
    def mappings(self) -> tuple[FollowingMapping, ...]:
        """The mappings of queues that divide it."""
        return tuple(self._joined[0]._mappings)

    def add_mapping(self, resource: lambda_.CfnEventSourceMapping, part: Callable[[], int]) -> None:
        """Note a mapping whose MaximumConcurrency is a part of the share."""
        self._joined[0]._mappings.append(FollowingMapping(resource, part))
        self._guard()

    def count_overlap(self, *, overlap: bool) -> None:
        """Say whether environments of old and new code hold connections together for a while after a deployment."""
        for share in self._joined:
            share._overlaps = 2 if overlap else 1
        self.budget.recompute()

    def limit(self, function: Function, *, overlap: bool = True) -> None:
        """Set the share as the reserved concurrency of a function made elsewhere.

        On Lambda Managed Instances, which have none, execution environments x requests per environment stay within it.

        Code that keeps its connections open without `breakwater_runtime` holds them twice right after a deployment:
        the old environments are frozen with theirs while new ones connect. So the share counts twice.

        Parameters
        ----------
        function
            A function of this app. An alias or a version stands for its function: concurrency is reserved for all of
            them together, and what is provisioned must be within it.
        overlap
            False says that the function closes its connections before it returns, and then the share counts once.

        Raises
        ------
        BreakwaterError
            When the function is imported, or has a reserved concurrency already, or the share bounds another function.
        """
        from aws_cdk import aws_lambda as lambda_

        from .managed_instances import limit_environments, requests_per_environment

        function = unqualified(function)
        resource = function.node.default_child
        if not isinstance(resource, lambda_.CfnFunction):
            raise _not_set_here(function)
        if self.function is not None:
            raise BreakwaterError(
                function, f"the share {self.name!r} bounds {self.function.node.path} already.", "Take another share."
            )
        if (other := ConnectionShare.of(function)) is not None:
            raise BreakwaterError(function, f"the share {other.name!r} bounds it already.", "Take one of the two.")
        if resource.reserved_concurrent_executions is not None:
            raise BreakwaterError(
                function,
                f"it has reserved_concurrent_executions={shown(resource.reserved_concurrent_executions)} already.",
                "Remove that, or pass it as concurrency=… where the share is taken.",
            )
        requests = requests_per_environment(resource)
        if requests is None:
            resource.reserved_concurrent_executions = self.concurrency
        else:
            least = limit_environments(resource, self.resolve, requests)
            self.require(least, f"{requests} requests per execution environment of a managed instance")
        for share in self._joined:
            share.function = function
        self.bind(function, reserve=requests is None)
        self.count_overlap(overlap=overlap)

    def description(self) -> dict[str, Any]:
        """Describe it for `breakwater plan`."""
        concurrency = self.resolve()
        return {
            "name": self.name,
            "function": None if self.function is None else self.function.node.path,
            "concurrency": concurrency,
            "connections": concurrency * self.claim.connections_per_environment,
            "connectionsPerEnvironment": self.connections_per_environment,
            "assumed": self.connections_assumed,
            "reason": self.reason,
        }


def _not_set_here(function: lambda_.IFunction) -> BreakwaterError:
    """Say why a share cannot be set as the concurrency of what is no `lambda_.Function` of this app."""
    from aws_cdk import aws_lambda as lambda_

    if isinstance(function, lambda_.CfnFunction):
        problem = "it is a CfnFunction, which takes its concurrency as a property."
        return BreakwaterError(function, problem, "Write function.reserved_concurrent_executions = share.concurrency.")
    if isinstance(function, lambda_.SingletonFunction):
        problem = "it is a SingletonFunction, whose function is made elsewhere in its stack."
        return BreakwaterError(function, problem, "Make it with reserved_concurrent_executions=share.concurrency.")
    return BreakwaterError(
        function, "it is imported, so its reserved concurrency belongs to another app.", "Limit it there."
    )
