"""A quota per key: whatever goes wrong, no tier of a key or of all is exceeded, and no key harms another."""

from __future__ import annotations

import contextlib
import io
import random
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from handlers.quota_dispatcher import key_index, keyed_counter
from handlers.quota_dispatcher.key_counter import KeyCounter
from handlers.quota_dispatcher.key_turns import KeyTurns
from handlers.quota_dispatcher.keyed_counter import KeyedCounter
from handlers.quota_dispatcher.store import Item
from handlers.quota_dispatcher.taking import Taking
from tests.simulation.keyed_schedule import run_keyed
from tests.simulation.provider import DAY, Limit
from tests.simulation.schedule import MIDNIGHT
from tests.simulation.services import Faults
from tests.simulation.world import DEAD, Trouble, World

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _quiet(shared: tuple[Limit, ...], each: tuple[Limit, ...], **options: Any) -> World:
    return World(
        1, list(shared), start=MIDNIGHT, faults=Faults(), trouble=Trouble(), key="$.key", key_limits=each, **options
    )


def _run(world: World, seconds: float) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        world.hub.run(lambda: False, world.hub.now + int(1_000 * seconds))


def _waits(world: World, key: str) -> list[float]:
    return [
        (sent.calls[0] - sent.sent) / 1_000 if sent.calls else float("inf")
        for sent in world.messages.values()
        if sent.key == key
    ]


@pytest.mark.parametrize("trouble", ["backlog", "closed", "failing"])
def test_one_tenant_touches_no_other(trouble: str) -> None:
    world = _quiet((Limit(20, 1_000),), (Limit(5, 1_000),), parallelism=40)
    if trouble == "closed":
        world.key_closed_until["noisy"] = 1 << 60
        world.says = "RetryAfter(600)"
    if trouble == "failing":
        world.key_fails.add("noisy")
    world.key_of = lambda _: "noisy"
    world.send(3_000)
    _run(world, 40)  # until all of it is filed, by mappings of which one gathers at a time here
    world.key_of = lambda _: "quiet"
    for second in range(20):
        world.hub.after(1_000 * second, lambda: world.send(2))
    _run(world, 40)
    world.finish()
    waits = _waits(world, "quiet")
    assert len(waits) == 40
    assert max(waits) < 4, "of which up to 1 s in the mapping's window"
    assert not world.provider.exceeded(list(world.provider.limits))


def test_a_spent_day_of_one_tenant_is_no_other_ones() -> None:
    world = _quiet((Limit(20, 1_000),), (Limit(10, DAY, "UTC"),))
    world.key_of = lambda number: f"tenant {number % 3}"
    world.send(60)
    _run(world, 60)
    assert Counter(sent.key for sent in world.messages.values() if sent.calls) == {f"tenant {n}": 10 for n in range(3)}
    _run(world, 2 * 86_400)
    world.finish()
    assert not world.open
    assert not any(each.exceeded([Limit(10, DAY, "UTC")]) for each in world.key_providers.values())


def test_two_thousand_keys_of_very_different_size() -> None:
    world = _quiet((Limit(500, 1_000),), (Limit(1, 1_000),), parallelism=100)
    draw, names = random.Random(1), [f"tenant {number}" for number in range(2_000)]  # noqa: S311 -- a load
    keys = draw.choices(names, [1 / (rank + 1) ** 1.1 for rank in range(2_000)], k=2_000)
    world.key_of = lambda number: keys[number]
    for tick in range(100):
        world.hub.after(100 * tick, lambda: world.send(20))
    _run(world, 60)
    world.finish()
    counts = Counter(keys)
    seldom = [wait for key, count in counts.items() if count == 1 for wait in _waits(world, key)]
    assert len(seldom) > 300
    assert max(seldom) < 8
    possible = sum(min(count, 50) for count in counts.values())
    assert sum(bool(sent.calls) for sent in world.messages.values()) > 0.9 * possible
    assert not world.provider.exceeded([Limit(500, 1_000)])
    assert not any(each.exceeded([Limit(1, 1_000)]) for each in world.key_providers.values())


def test_a_message_without_a_key_is_refused_with_a_reason() -> None:
    world = _quiet((Limit(20, 1_000),), (Limit(5, 1_000),))
    world.send(1)
    world.key_of = lambda _: "tenant"
    world.send(1)
    _run(world, 10)
    world.finish()
    (message,) = world.sqs.queues[DEAD].messages.values()
    assert not world.messages["0"].calls
    assert message.attributes["Reason"]["StringValue"] == "not called: its body has no $.key, which is its key"
    assert world.messages["1"].done


def test_names_of_tenants_are_kept_with_their_messages_alone() -> None:
    world = _quiet((Limit(20, 1_000),), (Limit(1, 60_000),))
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
    world = _quiet((Limit(20, 1_000),), (Limit(1, 5_000),))
    world.key_of = lambda number: f"tenant {number}"
    world.send(40)
    _run(world, 60)
    assert world.settled()
    entries = sum(name.startswith("keys/") for name in world.dynamodb.items)
    world.key_of = lambda number: f"tenant {number - 40}"
    world.send(40)
    _run(world, 60)
    world.finish()
    assert len(world.key_providers) == 40
    counter = Item.read(world.dynamodb.items["quota"]).counter(world.settings)
    assert isinstance(counter, KeyedCounter)
    assert {name.split("/")[0] for name in world.dynamodb.items} <= {"quota", "keys"}, "pages are deleted"
    assert sum(name.startswith("keys/") for name in world.dynamodb.items) <= entries + 8


def _clock(self: KeyCounter) -> int:
    return self.quota.clock


def _without_shared(self: KeyTurns, key: KeyCounter, ahead: Any, weight: int) -> Any:
    slot = Taking(key.quota, self._owner, ahead[1]).next(weight)
    above = Taking(self._quota, self._owner, 1 << 50).next(weight)
    return slot and above and slot._replace(above=above)


def _one(*_: object) -> int:
    return 1


def _always(*_: object) -> bool:
    return True


def _same_name(volume: int, wall: int) -> str:
    del wall
    return f"keys/{volume}/1-same"


@pytest.mark.parametrize(
    ("owner", "attribute", "wrong"),
    [
        (KeyCounter, "forget_at", _clock),
        (KeyTurns, "_pair", _without_shared),
        (keyed_counter, "is_finished", _always),
        (key_index, "new_name", _same_name),
        (KeyedCounter, "weigh", _one),
        (KeyCounter, "may_call", _always),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_schedule_finds_what_is_wrong(owner: Any, attribute: str, wrong: Callable[..., Any]) -> None:
    with patch.object(owner, attribute, wrong):
        assert any(_breaks(seed) for seed in range(60))


def _breaks(seed: int) -> bool:
    try:
        return not run_keyed(seed).good
    except (AssertionError, KeyError, ValueError, IndexError, OSError):
        return True
