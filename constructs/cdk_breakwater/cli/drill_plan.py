"""What a drill is going to call, how often, and at what cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError
from .deployed import deployed_functions
from .reservations import read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .plan import Plan

    Client = Callable[[str], Any]

MOST_AT_ONCE = 500
"""Calls in the air: each takes a thread and a socket of the machine that drills."""
_REQUEST_DOLLARS, _GB_SECOND_DOLLARS = 0.20e-6, 0.0000166667
"""AWS Lambda Pricing, us-east-1, x86, November 2026."""


@dataclass(frozen=True)
class Target:
    """A function with a share, as it is deployed.

    Attributes
    ----------
    name
        Of its share.
    function
        What Lambda calls it.
    reserved
        Its reserved concurrency.
    connections
        To each database, by the budget's path, when all of it works.
    at_once
        Calls that are kept in the air.
    gigabytes, timeout
        Its memory; seconds.
    """

    name: str
    function: str
    reserved: int
    connections: dict[str, int]
    at_once: int
    gigabytes: float
    timeout: int


@dataclass(frozen=True)
class Drill:
    """What is going to happen.

    Attributes
    ----------
    plans
        The budgets of the databases that the targets connect to.
    seconds, most_calls
        It ends after either; each function has its part of the calls.
    """

    targets: tuple[Target, ...]
    plans: tuple[Plan, ...]
    seconds: float
    most_calls: int

    @property
    def dollars(self) -> float:
        """What it costs at most: each environment that may be there works all the time, and a timeout longer."""
        gigabyte_seconds = sum(
            target.reserved * target.gigabytes * (self.seconds + target.timeout) for target in self.targets
        )
        return self.most_calls * _REQUEST_DOLLARS + gigabyte_seconds * _GB_SECOND_DOLLARS


def prepare(
    stack: str,
    assembly: Path,
    client: Client,
    *,
    functions: Sequence[str] = (),
    times: float = 1.5,
    seconds: float = 10,
    most_calls: int = 1_000,
) -> Drill:
    """Find the functions with a share, and what Lambda reserves for them now.

    Parameters
    ----------
    stack
        The name of a deployed stack.
    assembly
        The folder that `cdk synth` wrote.
    client
        Makes the client of a service.
    functions
        Names of shares; none: all of the stack.
    times
        Calls in the air at once, as a multiple of the reserved concurrency.
    seconds, most_calls
        It ends after either.

    Raises
    ------
    BreakwaterError
        When the stack is not deployed, has no such function, or one without a reserved concurrency.
    """
    state = read_state(assembly)
    lambda_ = client("lambda")
    targets = []
    for function, physical_id in deployed_functions(client("cloudformation"), stack):
        holder = state.holders.get(function.key)
        if holder is None or (functions and holder.name not in functions):
            continue
        reserved = lambda_.get_function_concurrency(FunctionName=physical_id).get("ReservedConcurrentExecutions")
        if not reserved:
            raise BreakwaterError(
                holder.name,
                f"its reserved concurrency is {'0' if reserved == 0 else 'not set'} in the account.",
                "Deploy the share first, or name other functions with --function.",
            )
        settings = lambda_.get_function_configuration(FunctionName=physical_id)
        each = {path: total // max(1, holder.concurrency) for path, total in holder.connections.items()}
        targets.append(
            Target(
                holder.name,
                physical_id,
                reserved,
                {path: connections * reserved for path, connections in each.items()},
                max(1, ceil(reserved * times)),
                settings["MemorySize"] / 1024,
                settings["Timeout"],
            )
        )
    if unknown := sorted({*functions} - {target.name for target in targets}):
        known = ", ".join(sorted(holder.name for holder in state.holders.values() if holder.stack == stack))
        raise BreakwaterError(
            stack, f"it has no function {unknown[0]} with a share.", f"Name one of: {known or 'none'}."
        )
    if not targets:
        raise BreakwaterError(
            stack, "it is not deployed, or has no function with a share.", "Name a deployed stack of this assembly."
        )
    if (at_once := sum(target.at_once for target in targets)) > MOST_AT_ONCE:
        raise BreakwaterError(
            stack,
            f"that would be {at_once:,} calls at once, and one machine makes {MOST_AT_ONCE}.",
            "Name fewer functions with --function, or lower --times.",
        )
    paths = {path for target in targets for path in target.connections}
    plans = tuple(plan for path, plan in state.plans.items() if path in paths)
    return Drill(tuple(targets), plans, seconds, most_calls)
