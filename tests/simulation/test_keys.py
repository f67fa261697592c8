"""A quota per key: whatever goes wrong, no tier of a key or of all is exceeded, and no key harms another."""

from __future__ import annotations

import contextlib
import io
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from handlers.quota_dispatcher.keyed_counter import KeyedCounter
from handlers.quota_dispatcher.store import Item
from tests.simulation.keyed_account import one_in_trouble, quiet, run_for, waits
from tests.simulation.keyed_mutations import KEYED
from tests.simulation.keyed_schedule import run_keyed
from tests.simulation.provider import DAY, Limit
from tests.simulation.world import DEAD

if TYPE_CHECKING:
    from tests.simulation.mutations import Mutation

pytestmark = pytest.mark.no_cover  # it would take twice the time, and covers what other tests do
SEEDS, AT_ONCE = 16, 8
"""Before a release: `python -m tests.simulation --keys --schedules 2000 --seed 16`."""


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_schedules_of_keys_break_no_promise(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        result = run_keyed(seed)
        assert result.good, f"python -m tests.simulation --keys --seed {seed} --schedules 1: {result}"


@pytest.mark.parametrize("seed", [5019, 20000])
def test_few_hands_make_the_calls_of_keys_that_are_granted_more_than_one_each(seed: int) -> None:
    result = run_keyed(seed)
    assert result.good, "where no more slots were taken ahead than there are hands, 80 to 93 % of the possible was made"


@pytest.mark.parametrize("trouble", ["backlog", "closed", "failing", "slow"])
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
