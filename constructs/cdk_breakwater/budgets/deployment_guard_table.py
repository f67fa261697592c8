"""What a stack's template tells the deployment guard about the functions that share its budgets."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Stack, Token

from .._cdk.lazy import lazy_any, lazy_string
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from .budget import ConnectionBudget
    from .share import ConnectionShare, FollowingMapping


ANSWERS = ["Withheld"]
"""What the gate answers beside the numbers."""


class GuardTable:
    """The governed functions of one stack, and the properties that are made of them when the template is written.

    Parameters
    ----------
    stack
        The stack.

    Attributes
    ----------
    resources
        The functions, and the attribute of the gate that answers each one's reservation.
    mappings
        The mappings of queues that follow them, and the attribute that answers each one's MaximumConcurrency.
    here
        The budgets whose database is in the stack.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.resources: dict[lambda_.CfnFunction, str] = {}
        self.mappings: dict[lambda_.CfnEventSourceMapping, str] = {}
        self.here: set[ConnectionBudget] = set()
        self._shares: dict[str, ConnectionShare] = {}
        self._paths: set[str] = set()

    def add(self, resource: lambda_.CfnFunction, share: ConnectionShare) -> str:
        """Note a function, and return its attribute: short, since all answers together have 4,096 bytes."""
        key = self.resources[resource] = f"f{len(self.resources)}"
        self._shares[key] = share
        self._paths.add(resource.node.path)
        return key

    def has(self, resource: lambda_.CfnFunction) -> bool:
        """Tell whether a function is noted already."""
        return resource.node.path in self._paths

    def add_mapping(self, mapping: FollowingMapping) -> str | None:
        """Note a mapping, and return its attribute; None where it is noted, or deployed with another stack."""
        resource = mapping.resource
        if resource in self.mappings or Stack.of(resource) is not self._stack:
            return None
        key = self.mappings[resource] = f"m{len(self.mappings)}"
        return key

    @property
    def properties(self) -> dict[str, Any]:
        """What the release is told."""
        return {
            "Functions": lazy_any(self._functions),
            "Budgets": lazy_any(self._budgets),
            "Neighbours": lazy_any(self._neighbours),
        }

    @property
    def gate_properties(self) -> dict[str, Any]:
        """What the gate is told. It must be asked whenever CloudFormation touches a function, hence the digest.

        And whenever it is to answer something that it did not before.
        """
        return {**self.properties, "Digest": lazy_string(self._digest)}

    def content(self) -> dict[str, Any]:
        """Give what makes another release if it changes."""
        return {"Functions": self._functions(), "Budgets": self._budgets()}

    def stack_names(self) -> list[str]:
        """Name the stacks whose functions are looked at: this one, and those that share a budget."""
        return [self._stack.stack_name, *self._neighbours()]

    def function_names(self) -> list[str]:
        """Give the names that functions were given, here and in those stacks."""
        functions = [*self.resources, *self._neighbouring()]
        names = [Stack.of(resource).resolve(resource.function_name) for resource in functions]
        return sorted({name for name in names if isinstance(name, str)})

    def uses_tag(self, share: ConnectionShare) -> str:
        """Write what a function opens, and of how much: budget=each/limit."""
        return " ".join(
            f"{budget_key(part.budget)}={part.claim.connections_per_environment}/{_limit(part.budget)}"
            for part in share.joined
        )

    def _functions(self) -> dict[str, Any]:
        return {key: self._row(resource, self._shares[key]) for resource, key in self.resources.items()}

    def _row(self, resource: lambda_.CfnFunction, share: ConnectionShare) -> dict[str, Any]:
        name = self._stack.resolve(resource.function_name)
        identity = json.dumps([name, resource.package_type or "Zip"])
        return {
            "Id": self._stack.get_logical_id(resource),
            "Share": str(share.resolve()),
            "Minimum": str(share.claim.minimum),
            "Uses": _uses(share),
            "Identity": identity,
            **({"Mappings": mappings} if (mappings := self._mapping_rows(share)) else {}),
            **({"Name": name} if isinstance(name, str) else {}),
        }

    def _mapping_rows(self, share: ConnectionShare) -> dict[str, Any]:
        return {
            self.mappings[mapping.resource]: {
                "Id": self._stack.get_logical_id(mapping.resource),
                "Share": str(mapping.part()),
            }
            for mapping in share.mappings
            if mapping.resource in self.mappings
        }

    def _budgets(self) -> dict[str, Any]:
        return {
            budget_key(budget): {
                "Title": budget.title,
                "Limit": str(_limit(budget)),
                "Here": "1" if budget in self.here else "0",
            }
            for budget in self._all_budgets()
        }

    def _all_budgets(self) -> list[ConnectionBudget]:
        used = [part.budget for share in self._shares.values() for part in share.joined]
        return list(dict.fromkeys([*used, *sorted(self.here, key=lambda budget: budget.node.path)]))

    def _neighbouring(self) -> dict[lambda_.CfnFunction, ConnectionShare]:
        holders = {share.joined[0]: share for budget in self._all_budgets() for share in budget.shares}
        return {
            cast("lambda_.CfnFunction", holder.reserves.node.default_child): holder
            for holder in holders
            if holder.reserves is not None and Stack.of(holder.reserves) is not self._stack
        }

    def _neighbours(self) -> dict[str, dict[str, dict[str, str]]]:
        budgets = self._all_budgets()
        found: dict[str, dict[str, dict[str, str]]] = {}
        for resource, share in self._neighbouring().items():
            stack = Stack.of(resource)
            found.setdefault(stack.stack_name, {})[stack.get_logical_id(resource)] = {
                budget_key(part.budget): str(part.claim.connections_per_environment)
                for part in share.joined
                if part.budget in budgets
            }
        return found

    def _digest(self) -> str:
        rendered = {
            key: self._stack.resolve(
                {
                    name: value
                    for name, value in cast("Any", resource)._cfn_properties.items()
                    if name not in ("reservedConcurrentExecutions", "scalingConfig", "tags")
                }
            )
            for resource, key in {**self.resources, **self.mappings}.items()
        }
        rendered["answers"] = ANSWERS
        return hashlib.sha256(json.dumps(rendered, sort_keys=True, default=str).encode()).hexdigest()[:16]


def budget_key(budget: ConnectionBudget) -> str:
    """Identify a budget in tags, where other deployments of the same account look for it.

    The same database must have the same key in each of them, another one another: its address, or its place in a stack
    whose name says which environment it is of.
    """
    downstream = budget.downstream
    if downstream is not None and not Token.is_unresolved(downstream.host):
        identity = [downstream.host, str(downstream.port), budget.node.id]
    else:
        identity = [Stack.of(budget).stack_name, budget.node.addr]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]


def _limit(budget: ConnectionBudget) -> int:
    """Compute what governed functions may hold: the budget, less shares that nothing reserves."""
    try:
        elsewhere = sum(
            share.resolve() * share.claim.connections_per_environment
            for share in budget.shares
            if share.joined[0].reserves is None
        )
        return max(0, budget.shared_connections - elsewhere)
    except BreakwaterError:
        return 0  # a lazy value must not raise; the budget's validation fails the synth


def _uses(share: ConnectionShare) -> dict[str, str]:
    return {budget_key(part.budget): str(part.claim.connections_per_environment) for part in share.joined}
