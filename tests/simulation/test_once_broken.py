"""What an earlier dispatcher did wrong, one case each, on virtual time."""

from __future__ import annotations

import contextlib
import io
from statistics import mean
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.quota_dispatcher import library, page_reader, pages
from handlers.quota_dispatcher.dispatcher import Dispatcher
from handlers.quota_dispatcher.plan import Plan
from handlers.quota_dispatcher.store import Store
from tests.simulation.provider import DAY, Limit
from tests.simulation.schedule import MIDNIGHT, TURNAROUND
from tests.simulation.services import Faults
from tests.simulation.world import DEAD, DOORBELL, PRIORITY, Trouble, World

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.no_cover  # it would take twice the time, and covers what other tests do
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
MONTH = 30 * DAY


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def calm(*limits: Limit, seed: int = 1, **options: Any) -> World:
    """Return an account in which nothing goes wrong."""
    options = {"parallelism": 20, "max_attempts": 5} | options
    return World(seed, list(limits), start=MIDNIGHT, faults=Faults(), trouble=Trouble(), **options)


def finish(world: World, within: int) -> None:
    """Wait until all is called; then nothing was exceeded, lost or buried."""
    begun = world.hub.now
    assert world.hub.run(world.settled, begun + within), f"{len(world.open)} of {len(world.messages)} wait for ever"
    world.finish()
    assert not any(sent.dead for sent in world.messages.values())
    assert not world.provider.exceeded(world.provider.limits)


def waits(world: World) -> list[float]:
    return [(sent.calls[0] - sent.sent) / 1_000 for sent in world.messages.values()]


@pytest.mark.parametrize(
    ("limits", "days"),
    [
        ((Limit(5, HOUR, "UTC"),), 1),
        ((Limit(1, DAY),), 12),
        ((Limit(9, DAY, "America/New_York"),), 2),
        ((Limit(10, SECOND), Limit(5, DAY, "UTC")), 3),
        ((Limit(10, SECOND), Limit(2, DAY)), 6),
    ],
    ids=str,
)
def test_a_small_quota_is_used_in_full(limits: tuple[Limit, ...], days: int) -> None:
    world = calm(*limits)
    world.send(12)
    finish(world, days * DAY)


@pytest.mark.parametrize(
    ("limit", "every", "messages"),
    [(Limit(10, DAY), HOUR, 8), (Limit(3, HOUR), 30 * MINUTE, 12), (Limit(5, MINUTE), 15 * SECOND, 40)],
    ids=str,
)
def test_who_sends_less_than_is_granted_waits_for_seconds(limit: Limit, every: int, messages: int) -> None:
    world = calm(limit)
    for number in range(messages):
        world.hub.at(MIDNIGHT + number * every, lambda: world.send(1))
    world.hub.run(lambda: len(world.messages) == messages, MIDNIGHT + messages * every)
    finish(world, HOUR)
    assert mean(waits(world)) < 3


@pytest.mark.parametrize("zone", ["", "UTC"])
def test_what_waits_for_months_is_called_though_queues_forget_after_14_days(zone: str) -> None:
    world = calm(Limit(10, SECOND), Limit(20, MONTH, zone))
    world.send(25)
    finish(world, 40 * DAY)
    assert max(waits(world)) * 1_000 > 14 * DAY


def test_rings_that_come_again_and_again_cost_no_speed() -> None:
    world = calm(Limit(10, SECOND))
    world.send(280)

    def again() -> None:
        rings = world.sqs.queues[DOORBELL].messages.values()
        for body in {ring.body for ring in rings}:
            world.sqs.send(DOORBELL, body)
        for ring in list(rings):
            ring.visible = min(ring.visible, world.hub.now)  # it was delivered twice, or its deletion failed
        if world.open:
            world.hub.after(2_000, again)

    world.hub.after(3_000, again)
    finish(world, 60_000)


@pytest.mark.parametrize(
    ("limit", "options"),
    [
        (Limit(10, SECOND), {"lanes": 8}),
        (Limit(10, SECOND), {"lanes": 32}),
        (Limit(1, SECOND), {"lanes": 8}),
        (Limit(1, SECOND), {"priority": True}),
        (Limit(10, SECOND), {"lanes": 16, "priority": True}),
    ],
    ids=str,
)
def test_empty_lanes_cost_no_speed(limit: Limit, options: dict[str, Any]) -> None:
    world = calm(limit, **options)
    world.send(30 * limit.limit, group=lambda _: "busy")
    finish(world, 36_000)


def test_messages_of_priority_overtake_a_backlog() -> None:
    world = calm(Limit(1, SECOND), priority=True)
    world.send(60)
    world.hub.run(lambda: False, MIDNIGHT + 10_000)
    world.send(3, url=PRIORITY)
    finish(world, 2 * MINUTE)
    assert max(waits(world)[60:]) < 8


@pytest.mark.parametrize("asked", ["RetryAfter(1)", "RetryAfter(0)", "RetryAfter(1e-05)"])
def test_a_provider_that_asks_for_patience_is_left_alone_and_no_message_pays(asked: str) -> None:
    world = calm(Limit(10, SECOND))
    world.says, world.provider_closed_until = asked, MIDNIGHT + 45 * MINUTE
    world.send(10)
    finish(world, 2 * HOUR)
    assert len(world.provider.instants) < 10 + 10 + 15


def refused_at_once(limit: int) -> World:
    """Send what can never be called to a quota that rests for a month; then lower it, so that more can't."""
    world = calm(Limit(limit, MONTH, weighted=True))
    weights = iter((limit + 1, "none", limit, limit, limit // 2, limit // 2))
    world.weigh = lambda: next(weights)
    world.send(6)
    world.hub.run(lambda: False, MIDNIGHT + MINUTE)
    return world


def test_a_message_that_no_tier_will_ever_grant_is_refused_at_once_and_never_called() -> None:
    world = refused_at_once(100)
    assert [sent.dead for sent in world.messages.values()] == [True, True, False, False, False, False]
    world.deploy([Limit(60, MONTH, weighted=True)])
    world.hub.run(lambda: False, MIDNIGHT + 3 * MONTH)
    world.finish()
    assert [sent.dead for sent in world.messages.values()].count(True) == 3, "the one that is now too heavy, too"
    assert [len(sent.calls) for sent in world.messages.values()].count(1) == 3
    assert not world.open
    reasons = [letter.attributes["Reason"]["StringValue"] for letter in world.sqs.queues[DEAD].messages.values()]
    assert any("is 101, and a tier grants 100" in reason for reason in reasons)


def test_weights_use_all_of_a_tier_and_what_was_not_used_is_free_for_others() -> None:
    world = calm(Limit(1_000, 10 * SECOND, weighted=True))
    weights = [1, 7, 40, 100]
    world.weigh = lambda: world.random.choice(weights)
    world.send(300)
    finish(world, 5 * MINUTE)
    bounds = sum(sent.weight for sent in world.messages.values())
    seconds = (world.provider.instants[-1] - world.provider.instants[0]) / SECOND
    assert bounds / seconds > 1.02 * 100, "more than would go if each used what it may"


def left_behind(when: int) -> bool:
    """Let a message arrive so long after the first call has begun; tell whether nobody calls it."""
    world = calm(Limit(10, SECOND))
    world.file()
    world.hub.run(lambda: world.last_called == 0, MIDNIGHT + MINUTE)
    world.hub.after(when, world.file)
    called = world.hub.run(lambda: len(world.messages) == 2 and world.settled(), MIDNIGHT + 2 * MINUTE)
    world.finish()
    return not called


def test_a_message_that_arrives_while_the_dispatcher_leaves_is_called() -> None:
    assert not any(left_behind(when) for when in range(0, 300, 5))


@pytest.mark.parametrize(("again", "lives"), [(False, 4_000), (True, 500)])
def test_another_ring_comes_in_place_of_one_that_goes_while_it_is_answered(again: bool, lives: int) -> None:
    """It was delivered twice, or a third time; a delivery that was answered before has deleted it only then."""
    world = calm(Limit(2, SECOND))
    world.send(40)
    world.hub.run(lambda: world.last_called >= 0, MIDNIGHT + MINUTE)
    rings = world.sqs.queues[DOORBELL].messages
    ring = next(ring for ring in rings.values() if ring.receipt)
    rings.clear()
    if again:
        world._dispatch([world.sqs.record(DOORBELL, ring)], lambda _: None)
    world.hub.run(lambda: False, world.hub.now + lives)
    world.kill_who_works()
    assert not world.settled()
    finish(world, 2 * MINUTE)


def test_a_page_that_never_comes_costs_no_speed() -> None:
    world = calm(Limit(10, SECOND), lanes=3, parallelism=3)
    world.environments = 1
    world.send(10)
    assert world.hub.run(world.settled, MIDNIGHT + MINUTE)
    item, begun = world.dynamodb.items["quota"], world.hub.now
    for lane in (1, 2, 3):  # an intake numbered its pages, and died
        item[f"tail{lane}"] = {"N": str(int(item[f"tail{lane}"]["N"]) + 1)}
    world.send(150)
    finish(world, MINUTE)
    assert world.hub.now - begun < 1_000 + 150 * (85 + TURNAROUND) * 1.1


def test_a_function_that_is_throttled_for_long_costs_no_message_a_try() -> None:
    world = calm(Limit(10, SECOND))
    world.function_away_until = MIDNIGHT + 45 * MINUTE
    world.send(10)
    finish(world, 2 * HOUR)
    assert world.refused < 10 + 15
    assert len(world.provider.instants) == 10


def test_a_function_with_fewer_environments_than_the_rate_is_hardly_ever_refused() -> None:
    world = calm(Limit(30, SECOND))
    world.environments = 2
    world.send(600)
    finish(world, 5 * MINUTE)
    assert world.refused < 60


@pytest.mark.parametrize("at", ["1764288000", "1e400", "Thu, 01 Jan 2099 00:00:00 GMT"])
def test_no_word_of_a_provider_stops_a_quota_for_longer_than_a_day(at: str) -> None:
    world = calm(Limit(10, SECOND))
    world.says, world.provider_closed_until = f"RetryAfter({at})", MIDNIGHT + 1_000
    world.send(1)
    world.hub.after(5_000, lambda: world.send(5))
    finish(world, DAY + HOUR)


def failing_for_ever(padding: int) -> list[int]:
    """Send two messages that fail whenever they are called; return how often each was called before it was buried."""
    world = calm(Limit(10, SECOND))
    world.padding = padding
    world.trouble.failures = 1.0
    world.faults.until = MIDNIGHT + HOUR
    world.send(2)
    buried = world.hub.run(world.settled, MIDNIGHT + HOUR)
    world.finish()
    return [len(sent.calls) for sent in world.messages.values()] if buried else []


@pytest.mark.parametrize("padding", [0, 1_048_500])
def test_a_message_that_always_fails_is_called_so_often_and_no_more(padding: int) -> None:
    assert failing_for_ever(padding) == [5, 5]


def of_long_calls(limit: Limit, seed: int) -> tuple[float, list[str]]:
    """Make calls of 3 s for 30 s; return which part of the quota was used, and what was exceeded."""
    world = calm(limit, seed=seed, parallelism=60)
    world.durations = (3_000, 3_000)
    world.send(400)
    world.hub.run(lambda: bool(world.provider.instants), MIDNIGHT + MINUTE)
    world.hub.run(lambda: False, world.hub.now + 30_000)
    world.finish()
    return len(world.provider.instants) / (30 * limit.limit), world.provider.exceeded([limit])


@pytest.mark.parametrize(("arrives", "least", "most"), [(0, 0.2, 0.28), (200, 0.7, 0.85)])
def test_long_calls_of_a_provider_that_counts_when_they_arrive_go_with_a_short_period(
    arrives: int, least: float, most: float
) -> None:
    used, exceeded = of_long_calls(Limit(10, SECOND, arrives=arrives), 1)
    assert least <= used <= most
    assert not exceeded


def test_a_tier_that_is_added_or_lowered_holds_within_seconds() -> None:
    world = calm(Limit(20, SECOND))
    now = [Limit(10, SECOND), Limit(60, MINUTE)]
    world.send(600)
    world.hub.run(lambda: False, MIDNIGHT + 10_000)
    world.deploy(now)
    world.hub.at(MIDNIGHT + MINUTE, world.forget_environments)
    world.hub.run(lambda: False, MIDNIGHT + 5 * MINUTE)
    world.finish()
    assert not world.provider.exceeded(now, MIDNIGHT + 20_000)
    assert sum(instant > MIDNIGHT + 20_000 for instant in world.provider.instants) >= 3 * 60, "it goes on"


@pytest.mark.parametrize("ordered", [True, False])
def test_large_messages_of_eight_lanes_do_not_keep_an_urgent_one(
    monkeypatch: pytest.MonkeyPatch, *, ordered: bool
) -> None:
    # a hundredth of the real sizes
    monkeypatch.setattr(library, "MOST_BYTES", 200_000)
    monkeypatch.setattr(page_reader, "MOST_BYTES", 200_000)
    monkeypatch.setattr(pages, "_LARGEST", 10_000)
    world = calm(Limit(10, SECOND), ordered=ordered, lanes=8, priority=True)
    world.padding = 40_000
    world.send(400, group=lambda number: f"g{number % 40}")
    world.hub.run(lambda: False, MIDNIGHT + 5_000)
    world.send(4, url=PRIORITY, group=lambda _: "urgent")
    finish(world, 2 * MINUTE)
    assert max(waits(world)[400:]) < 5


def test_what_a_deployment_takes_back_between_two_attempts_to_write_is_reported() -> None:
    """The first attempt has come through, and nobody has seen it."""
    world = calm(Limit(10, SECOND), Limit(1_000, MINUTE))
    write, read, plan, accept = Store.write, Store.read, Dispatcher._plan, Dispatcher._accept
    fails = deployed = False
    in_hand = 0
    left: list[int] = []

    def planned(dispatcher: Dispatcher, token: str, wake: str) -> Plan:
        nonlocal in_hand
        in_hand = len(dispatcher._calls.hand)
        return plan(dispatcher, token, wake)

    def loses_its_answer(store: Store, *arguments: Any, **options: Any) -> Any:
        nonlocal fails, deployed
        result = write(store, *arguments, **options)
        if not deployed and in_hand >= 5:
            fails = deployed = True
            world.deploy([Limit(9, SECOND), Limit(1_000, MINUTE)])
            world.hub.sleep(store._client.machine, 3_500)  # the heartbeat before the next attempt finds the deployment
            raise ReadTimeoutError(endpoint_url="x")
        return result

    def fails_once(store: Store) -> Any:
        nonlocal fails
        if fails:
            fails = False
            raise ReadTimeoutError(endpoint_url="x")
        return read(store)

    def accepted(dispatcher: Dispatcher, written: Any, memory: Any) -> bool:
        stays = accept(dispatcher, written, memory)
        if not stays:
            left.append(written[1].counter.quota.in_flight)
        return stays

    world.send(100)
    with (
        patch.object(Store, "write", loses_its_answer),
        patch.object(Store, "read", fails_once),
        patch.object(Dispatcher, "_plan", planned),
        patch.object(Dispatcher, "_accept", accepted),
    ):
        finish(world, 2 * MINUTE)
    assert deployed
    assert left[0] == 0, "slots that nobody uses are held for as long as a call may take"
