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
    """A share of a budget. Take one with `ConnectionBudget.share`; the class isn't created directly."""

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
        """Return the share that limits a function, an alias or a version, or None."""
        return _SHARES.get(unqualified(function))

    @property
    def concurrency(self) -> Concurrency:
        """How many environments may run at once, for any property of an L1 or L2. A token, unless it is fixed."""
        return Concurrency.of(self)

    def resolve(self) -> int:
        """Compute the concurrency. It is final only at synth, when every share has been taken."""
        return self.budget.division.concurrency_of(self)

    @property
    def granted(self) -> int:
        """The concurrency that the databases grant, regardless of what the account can reserve."""
        return self.budget.division.granted_to(self)

    @property
    def limited_by_account(self) -> bool:
        """Whether the share is smaller than `granted`, because the account's concurrency doesn't suffice."""
        return self.resolve() < self.granted

    @cached_property
    def environment(self) -> str:
        """The account and Region from whose quota the function's concurrency is taken."""
        return environment_of(cast("IConstruct", self.reserves))

    @property
    def claim(self) -> Claim:
        """What the share requests from the budget."""
        return Claim(
            self.weight,
            self.fixed,
            self.minimum,
            self.connections_per_environment * self._overlaps,
            f"{self._joined[0].budget.node.path} {self._joined[0].name}" if len(self._joined) > 1 else None,
        )

    @property
    def reason(self) -> str:
        """Why the share needs its minimum, for messages."""
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
        """The shares of the function in the budgets of all its databases, including this one."""
        return tuple(self._joined)

    def join(
        self, budget: ConnectionBudget, name: str, *, connections_per_environment: int | None = None
    ) -> ConnectionShare:
        """Take a share of another budget for the same function. The function then has the smallest of its shares.

        Parameters
        ----------
        budget
            The budget of the other database.
        name
            Name of the holder, unique in that budget.
        connections_per_environment
            Connections that each environment holds to that database, 1 or more. Default: 1 is assumed.

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
        """Raise the minimum concurrency that the share can work with.

        Parameters
        ----------
        minimum
            The minimum concurrency.
        reason
            Why, for messages.

        Raises
        ------
        BreakwaterError
            When the share is fixed below the minimum.
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
        """Record which function the share limits, and whether it does so by reserved concurrency."""
        self.function = function
        self.reserves = function if reserve else None
        _SHARES[function] = self
        self._guard()

    @property
    def is_guarded(self) -> bool:
        """Whether a deployment guard sets the reservation, because one of the budgets has `guard_deployments`."""
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
        """The event source mappings of queues that divide the share."""
        return tuple(self._joined[0]._mappings)

    def add_mapping(self, resource: lambda_.CfnEventSourceMapping, part: Callable[[], int]) -> None:
        """Record a mapping whose MaximumConcurrency is a part of the share."""
        self._joined[0]._mappings.append(FollowingMapping(resource, part))
        self._guard()

    def count_overlap(self, *, overlap: bool) -> None:
        """State whether environments of old and new code hold connections at the same time after a deployment."""
        for share in self._joined:
            share._overlaps = 2 if overlap else 1
        self.budget.recompute()

    def limit(self, function: Function, *, overlap: bool = True) -> None:
        """Set the share as the reserved concurrency of a function that this library didn't create.

        Lambda Managed Instances have no reserved concurrency. There, the number of execution environments times the
        requests per environment stays within the share.

        Code that keeps connections open without `breakwater_runtime` holds them twice right after a deployment: old
        environments are frozen with their connections while new environments connect. Therefore the share counts twice.

        Parameters
        ----------
        function
            A function of this app. An alias or a version stands for its function, because concurrency is reserved for
            all of them together. Provisioned concurrency must be within it.
        overlap
            False states that the function closes its connections before it returns. Then the share counts once.

        Raises
        ------
        BreakwaterError
            When the function is imported or already has reserved concurrency, or when the share already limits another
            function.
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
        """Describe the share for `breakwater plan`."""
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
