"""What a deployment does to the sum of reservations before it is done: who rises, who falls, and the worst instant.

CloudFormation changes what a template does not order in any order, creates before it deletes, and goes back in any
order when it fails. So at the worst instant each function has the larger of its two numbers, those that leave are still
there, and those that are new are there already.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

from ..layers.packaged_sources import handler_module
from ..limits.account_quota import ACCOUNT_CONCURRENCY, reservable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .reservations import Holder, Key, State

_arithmetic: Any = handler_module("deployment_guard", "reservations")

# Orders of more stacks than these are not all tried.
_STACKS_TO_PERMUTE = 6
FITS, OVER_BUDGET, OVER_LIMIT = 0, 3, 4


@dataclass(frozen=True)
class Move:
    """What becomes of one holder, in connections to one database and in environments.

    Attributes
    ----------
    change
        "new", "leaves", "rises", "falls" or "stays".
    orphaned
        Its stack is not in the new app, so that no deployment of it changes anything.
    in_vain
        Batches that its queues may have received beyond what it takes, while it has fallen and they have not yet.
    """

    name: str
    stack: str | None
    before: int
    after: int
    concurrency: int
    change: str
    orphaned: bool
    in_vain: int = 0


@dataclass(frozen=True)
class UserDiff:
    """A database user whose limit falls before the functions that log in as it.

    Attributes
    ----------
    held
        What those functions may have until they fall.
    """

    name: str
    before: int
    after: int
    held: int


@dataclass(frozen=True)
class BudgetDiff:
    """What a deployment does to one budget.

    Attributes
    ----------
    shrinks
        Whether the budget itself becomes smaller.
    shared, usable
        What functions may hold, and all that the database takes from them: of the old and the new app the smaller.
    before, after
        The sums of reservations in connections.
    worst
        At the worst instant: stacks in any order, one alone, or at once, and a rollback.
    in_order
        At the worst instant when the stacks are deployed in `Diff.order`, one after the other.
    alone
        What stays when one stack is deployed alone, where that is above the budget.
    users
        The users that are limited to less than their functions may hold for a moment.
    """

    path: str
    guarded: bool
    shrinks: bool
    shared: int
    usable: int
    before: int
    after: int
    worst: int
    in_order: int
    alone: Mapping[str, int]
    moves: tuple[Move, ...]
    users: tuple[UserDiff, ...] = ()

    @property
    def severity(self) -> int:
        """FITS, OVER_BUDGET, or OVER_LIMIT: above all that the database takes. What only falls is never refused."""
        sum_ = self.after if self.guarded or self.only_falls else self.in_order
        return FITS if sum_ <= self.shared else OVER_BUDGET if sum_ <= self.usable else OVER_LIMIT

    @property
    def only_falls(self) -> bool:
        """Whether no instant has more than there is already."""
        return self.worst <= self.before and not self.shrinks


@dataclass(frozen=True)
class PoolDiff:
    """What a deployment does to the reserved concurrency of one account and Region."""

    environment: str
    limit: int
    after: int
    worst: int


@dataclass(frozen=True)
class Diff:
    """What a deployment does.

    Attributes
    ----------
    budgets
        Those with a share that changes, or that are above their budget.
    order
        The stacks that change a share, in the order that is best for the databases.
    pools
        Accounts whose reservable concurrency the worst instant exceeds: Lambda refuses, and CloudFormation rolls back.
    """

    budgets: tuple[BudgetDiff, ...]
    order: tuple[str, ...]
    pools: tuple[PoolDiff, ...]

    @property
    def severity(self) -> int:
        """The greatest of its parts."""
        return max([budget.severity for budget in self.budgets] + [OVER_LIMIT for _ in self.pools], default=FITS)


def compare(old: State, new: State, account_concurrency: int = ACCOUNT_CONCURRENCY) -> Diff:
    """Compute what the deployment from one state to the other does.

    Parameters
    ----------
    old, new
        What is deployed, and what is to be.
    account_concurrency
        The quota of concurrent executions of each account and Region.
    """
    after = _lasting(old, new)
    changed = {
        holder.stack
        for key in {*old.holders, *after}
        if (holder := after.get(key) or old.holders.get(key)) and holder.stack in new.stacks
        if _connections(old.holders.get(key)) != _connections(after.get(key))
    }
    order = _best_order(old, new, after, sorted(stack for stack in changed if stack))
    budgets = [_budget(path, old, new, after, order) for path in sorted({*old.plans, *new.plans})]
    return Diff(
        tuple(b for b in budgets if b.worst > b.shared or any(move.change != "stays" for move in b.moves)),
        tuple(order),
        tuple(_pools(old, new, reservable(account_concurrency))),
    )


def _lasting(old: State, new: State) -> dict[Key, Holder]:
    """Give who is there after the deployment: also what no stack of the new app can delete."""
    orphans = {
        key: holder
        for key, holder in old.holders.items()
        if holder.stack is not None and holder.stack not in new.stacks
    }
    return {**orphans, **new.holders}


def _connections(holder: Holder | None) -> Mapping[str, int]:
    return {} if holder is None else holder.connections


def _sums(path: str, holders: Mapping[Key, Holder]) -> dict[Key, int]:
    return {key: holder.connections[path] for key, holder in holders.items() if path in holder.connections}


def _budget(path: str, old: State, new: State, lasting: Mapping[Key, Holder], order: Sequence[str]) -> BudgetDiff:
    plans = [state.plans[path] for state in (old, new) if path in state.plans]
    before, after = _sums(path, old.holders), _sums(path, lasting)
    shared = min(plan.shared for plan in plans)
    stack_of = {key: holder.stack for key, holder in {**old.holders, **lasting}.items()}
    alone = {stack: sum(_when_done(before, after, stack_of, {stack}).values()) for stack in order}
    return BudgetDiff(
        path,
        plans[-1].guarded,
        plans[-1].shared < plans[0].shared,
        shared,
        min(plan.usable for plan in plans),
        sum(before.values()),
        sum(after.values()),
        sum(_arithmetic.at_worst(before, after).values()),
        _worst_in_order(before, after, stack_of, order),
        {stack: total for stack, total in alone.items() if total > shared and len(order) > 1},
        tuple(_move(key, path, old, new, lasting) for key in {**before, **after}),
        () if plans[-1].guarded else tuple(_users(path, old, new)),
    )


def _users(path: str, old: State, new: State) -> Iterator[UserDiff]:
    for key in sorted({*old.users} & {*new.users}):
        was, will = old.users[key], new.users[key]
        held = sum(_connections(old.holders.get(function)).get(path, 0) for function in was.functions)
        if will.limit < min(was.limit, held):
            yield UserDiff(will.name, was.limit, will.limit, held)


def _move(key: Key, path: str, old: State, new: State, lasting: Mapping[Key, Holder]) -> Move:
    was, will = old.holders.get(key), lasting.get(key)
    holder = will or was
    if holder is None:
        raise KeyError(key)
    before, after = (_connections(part).get(path, 0) for part in (was, will))
    change = "stays" if before == after else "rises" if before < after else "falls"
    if before == 0 or after == 0:
        change = "new" if before == 0 else "leaves"
    orphaned = holder.stack is not None and holder.stack not in new.stacks
    # The mapping refers to the function, and is changed after it.
    falls = was is not None and will is not None and will.concurrency < was.concurrency
    in_vain = max(0, was.receives - max(will.concurrency, will.receives and 2)) if was and will and falls else 0
    return Move(holder.name, holder.stack, before, after, will.concurrency if will else 0, change, orphaned, in_vain)


def _when_done(
    before: Mapping[Key, int], after: Mapping[Key, int], stack_of: Mapping[Key, str | None], done: set[str]
) -> dict[Key, int]:
    return {
        key: (after if stack_of[key] in done or stack_of[key] is None else before).get(key, 0)
        for key in {**before, **after}
    }


def _worst_in_order(
    before: Mapping[Key, int], after: Mapping[Key, int], stack_of: Mapping[Key, str | None], order: Sequence[str]
) -> int:
    """Find the worst instant while one stack after the other is deployed."""
    worst = max(sum(before.values()), sum(after.values()))
    now = dict(before)
    for count in range(len(order)):
        then = _when_done(before, after, stack_of, set(order[: count + 1]))
        worst = max(worst, sum(_arithmetic.at_worst(now, then).values()))
        now = then
    return worst


def _best_order(old: State, new: State, lasting: Mapping[Key, Holder], stacks: list[str]) -> list[str]:
    stack_of = {key: holder.stack for key, holder in {**old.holders, **lasting}.items()}
    sums = [
        (_sums(path, old.holders), _sums(path, lasting), plan.shared)
        for path, plan in {**old.plans, **new.plans}.items()
    ]

    def cost(order: Sequence[str]) -> tuple[int, int]:
        over = [_worst_in_order(before, after, stack_of, order) - shared for before, after, shared in sums]
        return sum(max(0, excess) for excess in over), sum(over)

    def is_possible(order: Sequence[str]) -> bool:
        return not any(later in _before(new, earlier) for n, earlier in enumerate(order) for later in order[n + 1 :])

    if len(stacks) <= _STACKS_TO_PERMUTE:
        return list(min(filter(is_possible, permutations(stacks)), key=cost, default=()))

    def gain(stack: str) -> int:
        return sum(
            sum(_when_done(before, after, stack_of, {stack}).values()) - sum(before.values())
            for before, after, _ in sums
        )

    order: list[str] = []
    while left := [stack for stack in stacks if stack not in order]:
        ready = [stack for stack in left if not _before(new, stack) & set(left)]
        order.append(min(ready, key=gain))
    return order


def _before(state: State, stack: str) -> set[str]:
    """Give the stacks that must be deployed before one, however indirectly."""
    found = set(state.stacks.get(stack, ()))
    while more := {need for name in found for need in state.stacks.get(name, ())} - found:
        found |= more
    return found


def _pools(old: State, new: State, limit: int) -> list[PoolDiff]:
    found = []
    guarded = {
        key
        for state in (old, new)
        for key, holder in state.holders.items()
        if any(path in new.plans and new.plans[path].guarded for path in holder.connections)
    }
    for environment, after in new.reserved.items():
        before = old.reserved.get(environment, {})
        # A guard counts the pool as one more budget.
        kept = [sum(number for key, number in numbers.items() if key in guarded) for numbers in (before, after)]
        free = [{key: number for key, number in part.items() if key not in guarded} for part in (before, after)]
        worst = sum(_arithmetic.at_worst(*free).values()) + max(kept)
        if worst > limit and after != before:
            found.append(PoolDiff(environment, limit, sum(after.values()), worst))
    return found
