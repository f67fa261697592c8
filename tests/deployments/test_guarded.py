"""A deployment that is guarded: no instant above the budget, whatever CloudFormation does and whoever deploys what."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.deployment_guard import account as provider
from handlers.deployment_guard import guard, release

from .cloudformation import run
from .guarded import Client, GuardedAccount, template, together
from .model import App, Function, random_app, random_change

pytestmark = pytest.mark.no_cover  # it would take twice the time, and covers what other tests do
APPS = int(os.environ.get("BREAKWATER_APPS", "60"))
"""How many sequences of deployments are tried; 1,500 take about two minutes."""


def created(app: App, *others: App, **options: Any) -> GuardedAccount:
    account = GuardedAccount(app, *others, **options)
    for stack in app.stacks:
        run(account.deploy(stack, template(app, stack), lambda ready: ready[0]))
    account.forget()
    return account


def limits(*versions: App) -> dict[str, int]:
    """Give the most that may be held while the versions follow each other."""
    return {d: max(app.budgets[d] for app in versions if d in app.budgets) for app in versions for d in app.budgets}


@settings(max_examples=APPS)
@given(st.integers(0, 2**32), st.booleans(), st.booleans())
def test_no_instant_is_above_the_budget(seed: int, again: bool, asks: bool) -> None:
    chance = random.Random(seed)  # noqa: S311
    versions = [random_app(chance)]
    for _ in range(chance.randint(1, 3)):
        versions.append(random_change(chance, versions[-1]))
    # an older commit, or the new one once more
    versions += chance.sample(versions, 1)
    account = created(versions[0], *versions, puts_again=again, rollback_asks_again=asks)
    budget = limits(*versions)
    failing = chance.random() < 0.5

    def fails(_: str) -> bool:
        return failing and chance.random() < 0.1

    for number, version in enumerate(versions[1:], 1):
        stacks = chance.sample(version.stacks, chance.randint(1, len(version.stacks)))

        def deployment(stack: str, version: App = version, number: int = number) -> Iterator[str]:
            code = str(chance.randint(0, number))
            return account.deploy(stack, template(version, stack, code=code), chance.choice, fails=fails)

        if chance.random() < 0.4:
            together(account, [deployment(stack) for stack in stacks], chance.choice)
        else:
            for stack in stacks:
                run(deployment(stack))
        if chance.random() < 0.1 and account.stacks:
            run(account.delete(chance.choice(sorted(account.stacks)), chance.choice))
        assert all(connections <= budget[database] for database, connections in account.worst.items()), account.reasons
        assert account.strays == []


@settings(max_examples=APPS)
@given(st.integers(0, 2**32), st.booleans())
def test_everybody_has_the_share_in_the_end(seed: int, again: bool) -> None:
    chance = random.Random(seed)  # noqa: S311
    old = random_app(chance)
    new = random_change(chance, old)
    if not set(old.stacks) <= set(new.stacks):
        return
    account = created(old, new, puts_again=again)
    for stack in chance.sample(new.stacks, len(new.stacks)):
        run(account.deploy(stack, template(new, stack), chance.choice))
    for stack in new.stacks if account.reasons else []:  # those that were told to come after others
        run(account.deploy(stack, template(new, stack, code="again"), chance.choice))
    if all("ROLLBACK" not in stack.status for stack in account.stacks.values()):
        has = {(f.stack, f.logical_id): f.reserved for f in account.functions.values()}
        assert has == {(f.stack, f.name): share for f, share in new.shares.items()}
        receive = {(mapping.function, mapping.maximum) for mapping in account.mappings.values()}
        names = {(f.stack, f.logical_id): name for name, f in account.functions.items()}
        assert receive == {(names[f.stack, f.name], part) for f in new.functions for part in new.parts(f)}


def shop(*functions: Function, budget: int = 54) -> App:
    return App({"shop": budget}, functions)


def function(name: str, stack: str = "Shop", **options: Any) -> Function:
    return Function(name, stack, {"shop": 1}, **options)


ORDERS, REPORTS, NIGHTLY = function("Orders"), function("Reports", weight=2), function("Nightly", fixed=5)
FED = function("Orders", minimum=2, queues=1)
README = shop(ORDERS, REPORTS, NIGHTLY)


def deploy(account: GuardedAccount, app: App, stack: str = "Shop", **options: Any) -> list[str]:
    account.reasons.clear()
    run(account.deploy(stack, template(app, stack), lambda ready: ready[0], **options))
    return account.reasons


def reserved(account: GuardedAccount) -> dict[str, int | None]:
    return {function.logical_id: function.reserved for function in account.functions.values()}


@pytest.mark.parametrize(
    "after",
    [
        shop(ORDERS, REPORTS, NIGHTLY, function("Search"), function("Export")),
        shop(ORDERS, REPORTS),
        shop(function("Purchases"), REPORTS, NIGHTLY),
        shop(function("Orders", weight=9), REPORTS, NIGHTLY),
    ],
    ids=["add two", "remove one", "rename one", "weight"],
)
@pytest.mark.parametrize("again", [True, False])
def test_readmes_app(after: App, again: bool) -> None:
    account = created(README, after, puts_again=again)
    assert deploy(account, after) == []
    assert account.worst["shop"] == 54
    assert reserved(account) == {f.name: share for f, share in after.shares.items()}
    account = created(README, after, puts_again=again)
    body = {
        **template(after, "Shop"),
        "Last": {"Type": "AWS::SNS::Topic", "DependsOn": [f.name for f in after.functions]},
    }
    run(account.deploy("Shop", body, lambda ready: ready[0], fails=lambda operation: operation == "Last"))
    assert account.stacks["Shop"].status == "UPDATE_ROLLBACK_COMPLETE"
    assert account.worst["shop"] == 54
    assert reserved(account) == {"Orders": 16, "Reports": 33, "Nightly": 5}


def test_what_is_renamed_never_falls_to_nothing() -> None:
    account = created(README, after := shop(function("Purchases"), REPORTS, NIGHTLY))
    lowest: list[int] = []

    def look() -> None:
        lowest.append(
            sum(f.reserved or 0 for f in account.functions.values() if f.logical_id in ("Orders", "Purchases"))
        )

    account.watch = look
    deploy(account, after)
    assert min(lowest) >= 8
    assert lowest[-1] == 16


def test_a_change_of_code_alone_asks_once_and_touches_nothing() -> None:
    account = created(README)
    account.calls.clear()
    run(account.deploy("Shop", template(README, "Shop", code="new"), lambda ready: ready[0]))
    assert account.calls["put_function_concurrency"] == 0
    assert account.slept == 0
    assert reserved(account) == {"Orders": 16, "Reports": 33, "Nightly": 5}


def test_one_that_moves_numbers_waits_for_running_invocations_alone() -> None:
    account = created(README, after := shop(ORDERS, REPORTS, NIGHTLY, function("Search")))
    deploy(account, after)
    assert 0 < account.slept <= 20


class TestRefusals:
    def test_a_second_stack_on_a_spent_budget(self) -> None:
        after = shop(ORDERS, REPORTS, NIGHTLY, function("Search", "Search"))
        account = created(README, after)
        assert deploy(account, after, "Search") == [
            "Search (new) is to get 12 of 54, but Shop still holds 54 of shop. Deploy Shop first: cdk deploy Shop && "
            "cdk deploy Search."
        ]
        assert reserved(account) == {"Orders": 16, "Reports": 33, "Nightly": 5}
        assert deploy(account, after) == []
        assert deploy(account, after, "Search") == []
        assert reserved(account) == {"Orders": 12, "Reports": 25, "Nightly": 5, "Search": 12}

    def test_no_room_at_all(self) -> None:
        before = shop(function("F0"), function("F1"), budget=2)
        account = created(before, after := shop(*before.functions, function("New", minimum=2), budget=20))
        names = sorted(account.functions)
        assert deploy(account, after) == [
            f"New (new) needs 2 of shop's budget of 2, and nothing may be lowered for it: {names[0]} 1, {names[1]} 1. "
            "Deploy twice: first without New, then with it."
        ]

    def test_a_reservation_that_is_gone(self) -> None:
        account = created(README, after := shop(ORDERS, REPORTS))
        name = next(name for name in account.functions if "Orders" in name)
        account.functions[name].reserved = None
        assert deploy(account, after) == [
            f"{name} has no reserved concurrency any more, so nothing bounds its connections to shop (budget 54). Set "
            "it to 16 or delete the function, then deploy again."
        ]

    def test_another_stack_that_is_being_deployed(self) -> None:
        both = shop(ORDERS, REPORTS, NIGHTLY, function("Search", "Search"))
        account = created(both, after := shop(ORDERS, REPORTS, NIGHTLY, function("Search", "Search", weight=2)))
        account.stacks["Search"].status = "UPDATE_IN_PROGRESS"
        (reason,) = deploy(account, after)
        assert reason.startswith("Stack Search is being deployed on the same database (UPDATE_IN_PROGRESS since ")
        assert reason.endswith(" Deploy Shop when it is done.")
        assert account.slept >= 600
        account.stacks["Search"].status = "UPDATE_ROLLBACK_FAILED"
        (reason,) = deploy(account, after)
        assert reason.startswith("Stack Search is stuck on the same database (UPDATE_ROLLBACK_FAILED since ")

    def test_provisioned_concurrency(self) -> None:
        account = created(README, after := shop(ORDERS, REPORTS, NIGHTLY, function("Search", weight=9)))
        name = next(name for name in account.functions if "Reports" in name)
        account.functions[name].provisioned = 20
        assert deploy(account, after) == [
            f"{name} cannot go from 33 to 8: its aliases and versions have provisioned concurrency 20. Lower that to 8 "
            "first."
        ]
        assert reserved(account) == {"Orders": 16, "Reports": 33, "Nightly": 5}

    def test_a_guard_that_comes_with_other_changes(self) -> None:
        account = created(README, after := shop(ORDERS, REPORTS, NIGHTLY, function("Search")))
        del account.stacks["Shop"].records["Gate"]
        (reason,) = deploy(account, after)
        assert "The guard is new in stack Shop, and shares change with it" in reason
        assert "Search (new)" in reason

    def test_a_database_that_becomes_smaller_than_others_hold(self) -> None:
        both = App({"shop": 54}, (function("Orders", "S0"), function("Search", "S1")))
        account = created(both, after := App({"shop": 20}, both.functions))
        assert deploy(account, after, "S0") == [
            "shop is to have a budget of 20, but S1 still holds 27. Deploy S1 first, with its smaller shares."
        ]
        assert deploy(account, after, "S1") == []
        assert deploy(account, after, "S0") == []
        assert reserved(account) == {"Orders": 10, "Search": 10}

    def test_the_accounts_pool(self) -> None:
        before = shop(function("Orders", fixed=800), budget=2000)
        after = shop(function("Purchases", fixed=800), budget=2000)
        account = created(before, after, pool=1000)
        worst = 0

        def look() -> None:
            nonlocal worst
            worst = max(worst, sum(f.reserved or 0 for f in account.functions.values()))

        account.watch = look
        assert deploy(account, after) == []
        assert worst <= 900
        assert reserved(account) == {"Purchases": 800}


def withheld(account: GuardedAccount, stack: str = "Shop") -> str:
    return account.stacks[stack].records["Gate"].attributes["Withheld"]


def test_stopped_by_hand_stays_stopped_and_is_named() -> None:
    account = created(README, after := shop(ORDERS, function("Reports", weight=5), NIGHTLY))
    assert withheld(account) == "nothing"
    next(f for f in account.functions.values() if f.logical_id == "Orders").reserved = 0
    deploy(account, after)
    assert reserved(account)["Orders"] == 0
    assert withheld(account) == "Orders 0 of 8, since it was set to 0"


@pytest.mark.parametrize("again", [True, False])
def test_what_fails_before_its_release_is_given_back(again: bool) -> None:
    """Neither functions nor mappings stay at what the gate lowered them to; a share of 1 that is renamed has 0 then."""
    one = function("One", fixed=1)
    account = created(before := shop(FED, REPORTS, one), after := shop(FED, REPORTS, function("Other", fixed=1)))
    mappings = {mapping.maximum for mapping in account.mappings.values()}

    def fails(operation: str) -> bool:
        return operation.startswith("before Release")

    deploy(account, after, fails=fails)
    assert account.stacks["Shop"].status == "UPDATE_ROLLBACK_COMPLETE"
    assert reserved(account) == {f.name: share for f, share in before.shares.items()}
    assert {mapping.maximum for mapping in account.mappings.values()} == mappings
    assert account.worst["shop"] <= 54


class TestWithheld:
    """A second stack takes room before the first has given it up: what is short is named, and raised later."""

    BEFORE = shop(function("Orders"), function("Search", "Search", weight=2))
    AFTER = shop(function("Orders", weight=2), function("Search", "Search", weight=1))

    def test_the_output_names_who_is_short_and_beside_whom(self) -> None:
        account = created(self.BEFORE, self.AFTER)
        search = next(f for f in account.functions.values() if f.logical_id == "Search")
        assert deploy(account, self.AFTER) == []
        assert reserved(account) == {"Orders": 18, "Search": 36}
        assert withheld(account) == f"Orders 18 of 36; beside {search.name} 36"
        assert deploy(account, self.AFTER, "Search") == []
        assert reserved(account) == {"Orders": 36, "Search": 18}
        assert withheld(account, "Search") == "nothing"

    def test_it_is_raised_when_somebody_asks_for_it(self) -> None:
        account = created(self.BEFORE, self.AFTER)
        deploy(account, self.AFTER)
        orders = next(f for f in account.functions.values() if f.logical_id == "Orders")
        search = next(f for f in account.functions.values() if f.logical_id == "Search")
        assert release.raise_by_hand("Shop", account.service) == [f"{orders.name} has 18 of 36: others hold the rest."]
        search.reserved, search.tags["breakwater:set"] = 0, "0"
        assert release.raise_by_hand("Shop", account.service) == [
            f"{search.name} has 0 of 36: it was set to 0, and stays so."
        ]
        assert reserved(account) == {"Orders": 36, "Search": 0}
        account.stacks["Search"].status = "UPDATE_IN_PROGRESS"
        with pytest.raises(provider.Refused, match="Stack Search is being deployed"):
            release.raise_by_hand("Shop", account.service)

    def test_the_handler_answers_whoever_asks_and_no_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What `breakwater raise` invokes has no ResponseURL, and its answer is what the handler returns."""
        account = created(self.BEFORE, self.AFTER)
        deploy(account, self.AFTER)
        monkeypatch.setattr(guard, "boto_client", partial(Client, account))
        orders = next(f for f in account.functions.values() if f.logical_id == "Orders")
        event = {"RequestType": "Raise", "StackName": "Shop"}
        assert guard.handler(event, None) == [f"{orders.name} has 18 of 36: others hold the rest."]
        deploy(account, self.AFTER, "Search")
        orders.reserved, orders.tags["breakwater:set"] = 18, "18"  # raised already, so that there is something to do
        assert guard.handler(event, None) == []
        assert reserved(account) == {"Orders": 36, "Search": 18}
        account.stacks["Search"].status = "UPDATE_IN_PROGRESS"
        with pytest.raises(provider.Refused, match="Stack Search is being deployed"):
            guard.handler(event, None)


def test_deleting_the_stack_asks_for_nothing() -> None:
    account = created(README)
    account.calls.clear()
    run(account.delete("Shop", lambda ready: ready[0]))
    assert account.functions == {}
    assert account.calls["put_function_concurrency"] == 0
    assert account.slept == 0


def test_three_hundred_functions_fit_into_an_answer() -> None:
    many = App({"shop": 3000}, tuple(function(f"F{number}") for number in range(300)))
    account = created(many)
    assert account.reasons == []
    assert len(account.functions) == 300


class TestQueues:
    """MaximumConcurrency is never above what the function takes: it falls before it, and rises after it."""

    @staticmethod
    def watched(before: App, after: App, **options: Any) -> tuple[GuardedAccount, list[tuple[int | None, list[int]]]]:
        account = created(before, after, **options)
        seen: list[tuple[int | None, list[int]]] = []

        def look() -> None:
            GuardedAccount.look(account)
            function = next(f for f in account.functions.values() if f.logical_id == "Orders")
            now = (function.reserved, [m.maximum for m in account.mappings.values() if m.function == function.name])
            if not seen or seen[-1] != now:
                seen.append(now)

        account.watch = look
        return account, seen

    def test_a_mapping_falls_before_its_function(self) -> None:
        account, seen = self.watched(shop(FED, REPORTS), after := shop(FED, REPORTS, function("Search", weight=6)))
        assert deploy(account, after) == []
        assert seen == [(18, [6]), (6, [6])]
        assert account.strays == []

    def test_a_mapping_rises_after_its_function(self) -> None:
        account, seen = self.watched(shop(FED, REPORTS, NIGHTLY), after := shop(FED, REPORTS))
        assert deploy(account, after) == []
        assert seen[-2:] == [(18, [16]), (18, [18])]
        assert account.strays == []

    def test_a_second_queue_takes_its_part_from_the_first(self) -> None:
        account, seen = self.watched(shop(FED), after := shop(replace(FED, minimum=4, queues=2)))
        assert deploy(account, after) == []
        assert seen == [(54, [27]), (54, [27, 27])]
        assert account.strays == []
        seen.clear()
        assert deploy(account, shop(FED)) == []
        assert seen == [(54, [27, 27]), (54, [54])]

    def test_a_rollback_gives_it_back(self) -> None:
        account, seen = self.watched(
            shop(FED, REPORTS), after := shop(FED, REPORTS, function("Search", weight=6)), rollback_asks_again=True
        )
        deploy(account, after, fails="Search".__eq__)
        assert account.stacks["Shop"].status == "UPDATE_ROLLBACK_COMPLETE"
        assert seen[-1] == (18, [18])
        assert account.strays == []

    def test_a_code_only_deployment_asks_nothing_about_mappings(self) -> None:
        account = created(shop(FED))
        account.calls.clear()
        run(account.deploy("Shop", template(shop(FED), "Shop", code="new"), lambda ready: ready[0]))
        assert account.calls["list_event_source_mappings"] == 0
        assert account.calls["update_event_source_mapping"] == 0
