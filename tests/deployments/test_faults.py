"""The provider in trouble: throttled, denied, ended in the middle, functions deleted or raised by hand.

`BREAKWATER_FAULTS=60000 pytest tests/deployments/test_faults.py` is the whole of it.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import pytest

from .cloudformation import run
from .guarded import Died, Fault, GuardedAccount, error, no_fault, template
from .model import App, random_app, random_change
from .test_guarded import README, created, deploy, function, reserved, shop

pytestmark = pytest.mark.no_cover  # it would take twice the time, and covers what other tests do
RUNS = int(os.environ.get("BREAKWATER_FAULTS", "600"))


def throttled(chance: random.Random, part: float) -> Fault:
    def fault(service: str, operation: str, arguments: dict[str, Any]) -> None:
        if chance.random() < part:
            raise error(chance.choice(["TooManyRequestsException", "ThrottlingException", "ResourceConflictException"]))

    return fault


def at_call(number: int, raised: BaseException) -> Fault:
    left = [number]

    def fault(service: str, operation: str, arguments: dict[str, Any]) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise raised

    return fault


def some_fault(chance: random.Random) -> Fault:
    kind = chance.randrange(5)
    if kind == 0:
        return throttled(chance, chance.choice([0.2, 0.6, 0.95]))
    if kind == 1:
        return at_call(chance.randint(1, 30), error("AccessDeniedException"))
    if kind == 2:
        return at_call(chance.randint(1, 30), Died())
    if kind == 3:
        return at_call(chance.randint(1, 30), error("InvalidParameterValueException"))
    return no_fault


def meddle(account: GuardedAccount, chance: random.Random) -> None:
    """Do what people do by hand: delete a function, raise or stop one."""
    name = chance.choice(sorted(account.functions))
    kind = chance.randrange(3)
    if kind == 0:
        del account.functions[name]
    else:
        account.functions[name].reserved = chance.randint(1, 60) if kind == 1 else 0


def run_one(chance: random.Random, versions: list[App]) -> GuardedAccount:
    """Deploy one change with faults, and return the account, whose `excess` says what went above."""
    account = created(versions[0], *versions, puts_again=chance.random() < 0.5)
    if chance.random() < 0.4:
        meddle(account, chance)
    account.forget()
    budgets = {d: max(app.budgets.get(d, 0) for app in versions) for app in versions for d in app.budgets}
    allowed = {database: max(limit, account.worst[database]) for database, limit in budgets.items()}
    account.fault = some_fault(chance)
    for version in versions[1:]:
        for stack in version.stacks:
            run(account.deploy(stack, template(version, stack), chance.choice, fails=lambda _: chance.random() < 0.03))
    account.excess = {d: n for d, n in account.worst.items() if n > allowed[d]}
    return account


def test_nothing_goes_above_what_was_there_or_may_be() -> None:
    chance = random.Random(int(os.environ.get("BREAKWATER_SEED", "17")))  # noqa: S311
    done: Counter[str] = Counter()
    for _ in range(RUNS):
        old = random_app(chance)
        account = run_one(chance, [old, random_change(chance, old)])
        assert account.excess == {}, account.reasons
        done["failed"] += bool(account.reasons)
    assert done["failed"] > RUNS // 10, "the faults were felt"


SEARCH = shop(*README.functions, function("Search"))


def test_a_lost_permission_is_named() -> None:
    account = created(README, SEARCH)
    name = next(name for name in account.functions if "Orders" in name)

    def fault(service: str, operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_function_concurrency" and arguments["FunctionName"] == name:
            raise error("AccessDeniedException")

    account.fault = fault
    reasons = deploy(account, SEARCH)
    assert reasons[0] == (
        f"Not allowed to call lambda:PutFunctionConcurrency on {name}: the role of the guard's function lacks that "
        "permission. Reservations stay as they are."
    )
    assert account.worst["shop"] == 54


def test_a_gate_that_cannot_lower_in_a_rollback_says_so() -> None:
    account = created(README, SEARCH)

    def fault(service: str, operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_function_concurrency" and account.stacks["Shop"].status == "UPDATE_ROLLBACK_IN_PROGRESS":
            raise error("AccessDeniedException")

    account.fault = fault
    deploy(account, SEARCH, fails="Search".__eq__)
    assert account.stacks["Shop"].status == "UPDATE_ROLLBACK_FAILED"
    assert account.worst["shop"] == 54


def test_a_release_that_dies_leaves_less_and_the_next_one_mends_it() -> None:
    account = created(README, after := shop(README.functions[0], README.functions[1]))

    def fault(service: str, operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_function_concurrency":
            raise Died

    account.fault = fault
    deploy(account, after)
    assert account.stacks["Shop"].status == "UPDATE_COMPLETE"
    assert reserved(account) == {"Orders": 16, "Reports": 33}
    account.fault = throttled(random.Random(1), 0.3)  # noqa: S311
    deploy(account, README)
    deploy(account, after)
    assert reserved(account) == {"Orders": 18, "Reports": 36}


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ResourceConflictException"])
def test_a_lowering_that_is_throttled_for_good_fails_the_deployment(code: str) -> None:
    account = created(README, SEARCH)

    def fault(service: str, operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_function_concurrency":
            raise error(code)

    account.fault = fault
    (reason, *_) = deploy(account, SEARCH)
    assert code in reason
    assert set(reserved(account)) == {"Orders", "Reports", "Nightly"}
