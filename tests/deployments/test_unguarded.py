"""A deployment that nothing guards: `plan --diff` names the worst instant, and there is an order that gets there."""

from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_breakwater.cli.deployment_diff import Diff, compare
from cdk_breakwater.cli.reservations import read_state

from .cloudformation import FUNCTION, Account, Choose, Template, run
from .model import App, random_app, random_change

pytestmark = pytest.mark.no_cover  # it would take twice the time, and covers what other tests do
APPS = int(os.environ.get("BREAKWATER_APPS", "150"))
"""How many pairs of apps are tried."""


class Watched(Account):
    """An account whose sums of connections are written down at each change."""

    def __init__(self, *versions: App, **options: Any) -> None:
        super().__init__(watch=self.look, **options)
        self.uses = {(f.stack, f.name): f.databases for app in versions for f in app.functions}
        self.worst: Counter[str] = Counter()

    def look(self) -> None:
        now: Counter[str] = Counter()
        for function in self.functions.values():
            for database, each in self.uses[function.stack, function.logical_id].items():
                now[database] += (function.reserved or 0) * each
        self.worst |= now

    def forget(self) -> None:
        self.worst.clear()
        self.look()

    def has(self, app: App) -> None:
        for stack in app.stacks:
            run(self.deploy(stack, template(app, stack), lambda ready: ready[0]))
        self.forget()


def template(app: App, stack: str) -> Template:
    return {
        name: {"Type": FUNCTION, "Properties": {"ReservedConcurrentExecutions": app.shares[function]}}
        for name, function in app.of(stack).items()
    }


def two_versions(chance: random.Random) -> tuple[App, App]:
    """Make an app and a change of it that leaves no stack behind, which CloudFormation would not touch."""
    while True:
        old = random_app(chance)
        new = random_change(chance, old)
        if set(old.stacks) <= set(new.stacks):
            return old, new


def rising_first(account: Watched, app: App, stack: str) -> Choose:
    """Choose what a careless CloudFormation would in a stack: whoever rises, then whoever falls."""

    def gain(id_: str) -> int:
        function = app.of(stack).get(id_)
        # a function of that name may still be in another stack
        held = {f.logical_id: f.reserved or 0 for id, f in account.functions.items() if id.startswith(f"{stack}-")}
        return (app.shares[function] if function else 0) - held.get(id_, 0)

    return lambda ready: max(ready, key=lambda id_: (gain(id_), id_))


def difference(old: App, new: App) -> Diff:
    with tempfile.TemporaryDirectory() as folder:
        return compare(*(read_state(app.write(Path(folder, name))) for app, name in ((old, "old"), (new, "new"))))


def at_once(account: Watched, old: App, new: App) -> None:
    """Deploy all stacks at once: first whoever rises, in each of them, and then the rest."""
    had = {(f.stack, f.name): number for f, number in old.shares.items()}
    deployments = []
    for stack in new.stacks:
        deployment = account.deploy(stack, template(new, stack), rising_first(account, new, stack))
        rising = [f for f in new.of(stack).values() if new.shares[f] > had.get((stack, f.name), 0)]
        for _ in ["start", *rising]:
            next(deployment)
        deployments.append(deployment)
    run(*deployments)


@settings(max_examples=APPS)
@given(st.integers(0, 2**32))
def test_the_worst_instant_is_named_exactly(seed: int) -> None:
    old, new = two_versions(random.Random(seed))  # noqa: S311
    diff = difference(old, new)
    named = {budget.path: budget for budget in diff.budgets}
    unchanged = {database: new.budgets[database] for database in new.budgets if database not in named}

    for ordered in (True, False):
        account = Watched(old, new, rollback_in_order=ordered, puts_again=not ordered)
        account.has(old)
        at_once(account, old, new)
        for path, budget in named.items():
            assert account.worst[path] == budget.worst
        assert all(account.worst[database] <= limit for database, limit in unchanged.items())

    account = Watched(old, new)
    account.has(old)
    for stack in diff.order:
        run(account.deploy(stack, template(new, stack), rising_first(account, new, stack)))
    for path, budget in named.items():
        assert account.worst[path] == budget.in_order


@settings(max_examples=APPS)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_no_run_exceeds_the_worst_instant(seed: int, ordered: bool, again: bool) -> None:
    chance = random.Random(seed)  # noqa: S311
    old, new = two_versions(chance)
    diff = difference(old, new)
    account = Watched(old, new, rollback_in_order=ordered, puts_again=again)
    account.has(old)
    stacks = chance.sample(new.stacks, chance.randint(1, len(new.stacks)))

    def fails(_: str) -> bool:
        return chance.random() < 0.1

    deployments = [account.deploy(stack, template(new, stack), chance.choice, fails=fails) for stack in stacks]
    if chance.random() < 0.5:
        run(*deployments, choose=chance.choice)
    else:
        for deployment in deployments:
            run(deployment)
    worst = {budget.path: budget.worst for budget in diff.budgets}
    for database, connections in account.worst.items():
        assert connections <= worst.get(database, new.budgets[database])
