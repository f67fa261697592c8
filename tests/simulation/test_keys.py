"""A quota per key: whatever goes wrong, no tier of a key or of all is exceeded, and no key harms another."""

from __future__ import annotations

import contextlib
import io
import random
from collections import Counter
from dataclasses import asdict, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from cdk_breakwater.cli.quota_keys import busiest_keys, dispatcher_code, keys_table, write_plan
from cdk_breakwater.errors import BreakwaterError
from handlers.quota_dispatcher.key_plans import DEFAULT, FRESH, plan_name, read_limits
from handlers.quota_dispatcher.keyed_counter import KeyedCounter
from handlers.quota_dispatcher.plan import AHEAD
from handlers.quota_dispatcher.quota import LATE
from handlers.quota_dispatcher.store import Item
from tests.simulation.keyed_account import one_in_trouble, quiet, run_for, waits
from tests.simulation.keyed_mutations import KEYED
from tests.simulation.keyed_schedule import run_keyed
from tests.simulation.provider import DAY, Limit
from tests.simulation.schedule import MIDNIGHT
from tests.simulation.services import Faults
from tests.simulation.struck import play
from tests.simulation.world import DEAD, Trouble, World

if TYPE_CHECKING:
    from tests.simulation.mutations import Mutation

pytestmark = pytest.mark.no_cover  # it would take twice the time, and covers what other tests do
SEEDS, AT_ONCE = 14, 7
"""Before a release: `python -m tests.simulation --keys --schedules 2000 --seed 14`."""


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_schedules_of_keys_break_no_promise(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        result = run_keyed(seed)
        assert result.good, f"python -m tests.simulation --keys --seed {seed} --schedules 1: {result}"


@pytest.mark.parametrize("seed", [5019, 20000])
def test_few_hands_make_the_calls_of_keys_that_are_granted_more_than_one_each(seed: int) -> None:
    result = run_keyed(seed)
    assert result.good, "where no more slots were taken ahead than there are hands, 80 to 93 % of the possible was made"


def test_hands_that_were_lost_to_refusals_are_back_after_a_rest() -> None:
    result = run_keyed(60164)
    assert result.good, "the first calls after 20 minutes of rest were made four at a time: 93 % of the possible"


@pytest.mark.parametrize("key", ["$.key", ""])
def test_rings_do_not_breed_while_a_message_rests_and_others_come(key: str) -> None:
    world = World(
        1,
        [Limit(20, 1_000)],
        start=MIDNIGHT,
        faults=Faults(),
        trouble=Trouble(),
        max_attempts=50,
        key=key,
        key_limits=[Limit(5, 1_000)] if key else (),
    )
    world.key_fails.add("failing")
    world.key_of = lambda number: "tenant" if number else "failing"
    for number in range(300):
        world.hub.after(10_000 * number, lambda: world.send(1))
    run_for(world, 3_000)
    world.finish()
    assert len(world.open) == 1
    assert world.invocations < 900, "of some 600: there were 4,000 when each ring was followed by another"


@pytest.mark.parametrize("kind", ["killed after", "stopped for 20 s"])
def test_a_dispatcher_is_struck_at_some_of_its_requests(kind: str) -> None:
    """At all of them, and in other ways: `python -m tests.simulation.struck`."""
    for at in range(1, 52, 5):
        assert play(kind, at) == (True, [])


@pytest.mark.parametrize("trouble", ["backlog", "closed", "failing", "slow", "heavy"])
def test_one_tenant_touches_no_other(trouble: str) -> None:
    world = one_in_trouble(trouble)
    waited = waits(world, "quiet")
    assert len(waited) == 40
    assert max(waited) < 4, "of which up to 1 s in the mapping's window"
    assert not world.provider.exceeded(list(world.provider.limits))


def test_a_spent_day_of_one_tenant_is_no_other_ones() -> None:
    world = quiet((Limit(20, 1_000),), (Limit(10, DAY, "UTC"),))
    world.key_of = lambda number: f"tenant {number % 3}"
    world.send(60)
    run_for(world, 60)
    assert Counter(sent.key for sent in world.messages.values() if sent.calls) == {f"tenant {n}": 10 for n in range(3)}
    run_for(world, 2 * 86_400)
    world.finish()
    assert not world.open
    assert not any(each.exceeded([Limit(10, DAY, "UTC")]) for each in world.key_providers.values())


def test_two_thousand_keys_of_very_different_size() -> None:
    world = quiet((Limit(500, 1_000),), (Limit(1, 1_000),), parallelism=100)
    draw, names = random.Random(1), [f"tenant {number}" for number in range(2_000)]  # noqa: S311 -- a load
    keys = draw.choices(names, [1 / (rank + 1) ** 1.1 for rank in range(2_000)], k=2_000)
    world.key_of = lambda number: keys[number]
    for tick in range(100):
        world.hub.after(100 * tick, lambda: world.send(20))
    run_for(world, 60)
    world.finish()
    counts = Counter(keys)
    seldom = [wait for key, count in counts.items() if count == 1 for wait in waits(world, key)]
    assert len(seldom) > 300
    assert max(seldom) < 8
    possible = sum(min(count, 50) for count in counts.values())
    assert sum(bool(sent.calls) for sent in world.messages.values()) > 0.9 * possible
    assert not world.provider.exceeded([Limit(500, 1_000)])
    assert not any(each.exceeded([Limit(1, 1_000)]) for each in world.key_providers.values())


def test_a_message_without_a_key_is_refused_with_a_reason() -> None:
    world = quiet((Limit(20, 1_000),), (Limit(5, 1_000),))
    world.send(1)
    world.key_of = lambda _: "tenant"
    world.send(1)
    run_for(world, 10)
    world.finish()
    (message,) = world.sqs.queues[DEAD].messages.values()
    assert not world.messages["0"].calls
    assert message.attributes["Reason"]["StringValue"] == "not called: its body has no $.key, which is its key"
    assert world.messages["1"].done


def test_a_plan_lowers_what_a_key_is_granted_without_a_deployment_and_never_raises_it() -> None:
    world = quiet((Limit(50, 1_000),), (Limit(10, 1_000), Limit(20, 60_000)), parallelism=40)
    names = ("lowered", "broken", "high", "other")
    world.key_of = lambda number: names[number % len(names)]
    world.send(640)
    run_for(world, 125)
    assert all(len(world.key_providers[name].instants) > 20 for name in names)
    world.set_plan("lowered", {"60": 5})
    world.set_plan("high", {"1": 1_000, "60": 1_000})
    world.set_plan("broken", {"60": 0, "1": "2.5", "7": 3})
    changed = world.hub.now + FRESH + AHEAD + LATE
    run_for(world, 240)
    raised = world.hub.now
    world.set_plan("lowered", None)
    run_for(world, 75)
    limits = [Limit(10, 1_000), Limit(20, 60_000)]
    lowered = world.key_providers["lowered"]
    assert not lowered.exceeded([Limit(5, 60_000)], changed, raised)
    assert 13 <= sum(changed <= at < raised for at in lowered.instants) <= 20
    assert sum(at >= raised for at in lowered.instants) >= 15, "within a minute, though it had to wait for its plan"
    assert not any(world.key_providers[name].exceeded(limits) for name in names)
    for name in ("broken", "high"):
        assert sum(changed <= at < raised for at in world.key_providers[name].instants) >= 60
    world.finish()


def test_a_plan_as_large_as_an_item_may_be_makes_no_key_larger_and_says_no_more_than_its_tiers() -> None:
    world = quiet((Limit(20, 1_000),), (Limit(2, 5_000),), parallelism=40)
    world.set_plan("large", {f"no tier {number}": 0 for number in range(12_000)} | {"5": 1})
    world.key_of = lambda number: "large" if number % 4 else "small"
    world.send(20)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        world.hub.run(lambda: False, world.hub.now + 20_000)
    world.finish()
    assert not world.key_providers["large"].exceeded([Limit(1, 5_000)])
    assert "part of a plan" not in said.getvalue()
    written = [item for name, item in world.dynamodb.items.items() if name.startswith("keys/")]
    assert written
    assert all(len(item["content"]["B"]) < 1_000 for item in written)


def test_the_busiest_keys_are_shown_by_name_where_a_message_waits_and_a_plan_is_written() -> None:
    world = quiet((Limit(20, 1_000),), (Limit(1, 5_000),), parallelism=40)
    world.key_of = lambda number: "large" if number % 4 else "small"
    world.send(20)
    world.key_of = lambda _: "done"
    world.send(1)
    run_for(world, 8)
    world.finish()
    table = Items(world.dynamodb.items)
    dispatcher_code()
    settings = import_module("quota_dispatcher.settings").Settings(**asdict(world.settings))
    write_plan(settings, table, "large", ["5=1"])
    keys = busiest_keys(settings, table, world.hub.now)
    assert [key.key for key in keys] == ["large", "small", f"#{plan_name('done')[len('plan/') :]}"]
    assert [key.waiting for key in keys] == [13, 3, 0]
    assert {key.tiers["5"] for key in keys} <= {(0, 1), (1, 1)}
    console = Console(width=120, record=True)
    console.print(keys_table(keys))
    assert "of 1 in 5 s" in console.export_text()
    console.print(keys_table([replace(keys[0], key="a\x1b[2J[red]")]))
    assert "a\ufffd[2J[red]" in console.export_text(), "no command of a terminal, nor of what lays out the table"
    assert read_limits(table.items[plan_name("large")], {"5"}) == ({"5": 1}, [])
    write_plan(settings, table, keys[2].key, ["5=1"])
    assert plan_name("done") in table.items, "what is shown of a key names its plan"
    write_plan(settings, table, "*", ["5=1"])
    assert DEFAULT in table.items
    write_plan(settings, table, "*", None)
    assert DEFAULT not in table.items
    for text in ("5=2", "5=0", "60=1", "5", "5=1.5", "=1"):
        with pytest.raises(BreakwaterError, match="is no limit of a key"):
            write_plan(settings, table, "large", [text])
    with pytest.raises(BreakwaterError, match="it has no keys"):
        write_plan(replace(settings, key=""), table, "large", ["5=1"])


class Items:
    """A table without a network."""

    def __init__(self, items: dict[str, dict[str, Any]]) -> None:
        self.items = items

    def get_item(self, **request: Any) -> dict[str, Any]:
        found = self.items.get(request["Key"]["id"]["S"])
        return {"Item": found} if found else {}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        names = [key["id"]["S"] for key in wanted["Keys"]]
        return {"Responses": {table: [self.items[name] for name in names if name in self.items]}}

    def put_item(self, **request: Any) -> None:
        self.items[request["Item"]["id"]["S"]] = request["Item"]

    def delete_item(self, **request: Any) -> dict[str, Any]:
        found = self.items.pop(request["Key"]["id"]["S"], None)
        return {"Attributes": found} if found else {}


def test_names_of_tenants_are_kept_with_their_messages_alone() -> None:
    world = quiet((Limit(20, 1_000),), (Limit(1, 60_000),))
    world.key_of = lambda _: "Jane Doe"
    out = io.StringIO()
    world.send(5)
    with contextlib.redirect_stdout(out):
        world.hub.run(lambda: False, world.hub.now + 20_000)
    world.finish()
    assert "Calls" in out.getvalue()
    assert "Jane" not in out.getvalue()
    assert "Jane" not in repr(world.dynamodb.items["quota"])
    assert any(name.startswith("keys/") for name in world.dynamodb.items)


def test_what_is_over_is_forgotten() -> None:
    world = quiet((Limit(20, 1_000),), (Limit(1, 5_000),))
    world.key_of = lambda number: f"tenant {number}"
    world.send(40)
    run_for(world, 60)
    assert world.settled()
    entries = sum(name.startswith("keys/") for name in world.dynamodb.items)
    world.key_of = lambda number: f"tenant {number - 40}"
    world.send(40)
    run_for(world, 60)
    world.finish()
    assert len(world.key_providers) == 40
    counter = Item.read(world.dynamodb.items["quota"]).counter(world.settings)
    assert isinstance(counter, KeyedCounter)
    assert {name.split("/")[0] for name in world.dynamodb.items} <= {"quota", "keys"}, "pages are deleted"
    assert sum(name.startswith("keys/") for name in world.dynamodb.items) <= entries + 8


@pytest.mark.parametrize(("mutation", "seed"), KEYED, ids=lambda value: getattr(value, "name", ""))
def test_a_schedule_finds_what_is_wrong(mutation: Mutation, seed: int) -> None:
    with mutation.apply(), contextlib.redirect_stdout(io.StringIO()):
        assert any(mutation.broken(number) for number in (seed, *range(40)))
