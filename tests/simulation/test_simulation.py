"""Whatever goes wrong: no window exceeded, nothing lost, nothing buried untried, order kept, and then full speed."""

from __future__ import annotations

import contextlib
import io
from unittest.mock import patch

import pytest

from handlers.quota_dispatcher import library, page_reader
from handlers.quota_dispatcher.doorbell import Doorbell
from tests.simulation import schedule
from tests.simulation.provider import Limit
from tests.simulation.schedule import MIDNIGHT, run
from tests.simulation.services import Faults
from tests.simulation.world import Trouble, World

pytestmark = pytest.mark.no_cover  # it would take twice the time, and covers what other tests do
SEEDS, AT_ONCE = 2_000, 125
"""Before a release: `python -m tests.simulation --schedules 100000 --seed 2000`."""


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_schedules_of_trouble_break_no_promise(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        result = run(seed)
        assert result.good, f"python -m tests.simulation --seed {seed} --schedules 1: {result}"


@pytest.mark.parametrize("first", [71000150, 71000175])
def test_where_few_pages_fit_into_memory_no_promise_is_broken(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MOST_BYTES", 9_000)
    monkeypatch.setattr(page_reader, "MOST_BYTES", 5_000)
    monkeypatch.setattr(page_reader, "_MOST", 3)
    for seed in range(first, first + 25):
        result = run(seed)
        broken = result.exceeded + result.lost + result.untried + result.order + result.pages
        assert not broken, f"{seed}: {broken}"


def test_a_page_that_a_late_request_has_put_back_is_deleted_a_day_later() -> None:
    result = run(8300238)
    assert not result.pages, "a search was dated by the write that reports it, with the next day's message"


@pytest.mark.parametrize("seed", [8600199, 8601225])
def test_messages_do_not_wait_for_a_dispatcher_of_the_release_before(seed: int) -> None:
    result = run(seed)
    assert not result.lost, "a caller's slot was the first write of this release, and the holder before was left in it"


def test_who_answers_a_ring_that_is_gone_rings_for_the_case_that_it_dies() -> None:
    result = run(10300907)
    assert not result.lost, "it was delivered twice and answered, its first answer came a minute late, and died"


def test_in_order_a_page_that_came_late_is_seen_before_those_behind_it() -> None:
    result = run(51000102)
    assert not result.order, "it was looked for seldom, as where no order is kept"


def test_who_stood_still_does_not_bring_the_tiers_of_an_earlier_deployment_back() -> None:
    result = run(8603292)
    assert not result.exceeded, "it had looked for a deployment before it stood still, and wrote afterwards"


@pytest.mark.parametrize("seed", [1037, 1108])
def test_a_ring_that_another_is_about_to_answer_stays(seed: int) -> None:
    with patch.object(schedule, "CALL_BESIDE", 1.0):
        result = run(seed, aimed=True)
    assert not result.lost, "its first dispatcher, superseded, or its second, which had not joined, deleted it"
    assert not result.exceeded


@pytest.mark.parametrize("milliseconds", [1_500, 4_000, 8_000, 20_000])
def test_a_ring_that_is_back_before_its_sender_has_written_that_it_comes_stays(milliseconds: int) -> None:
    """Where it was taken for a stray one, a ring was then said to come that never came."""
    world = World(1, [Limit(1, 2_500)], start=MIDNIGHT, faults=Faults(), trouble=Trouble())
    ring = Doorbell.ring

    def slowly(doorbell: Doorbell, id: str, due: int, now: int, *, over: str = "") -> None:
        ring(doorbell, id, due, now, over=over)
        world.hub.sleep(doorbell._client.machine, milliseconds)

    with patch.object(Doorbell, "ring", slowly), contextlib.redirect_stdout(io.StringIO()):
        world.send(6)
        world.hub.run(world.settled, MIDNIGHT + 600_000)
    world.finish()
    assert world.settled()


def calls_after_a_tier_was_lowered() -> list[str]:
    """Lower 20 a second to 5 while a dispatcher works; return what was exceeded from 10 s after that on."""
    world = World(3, [Limit(20, 1_000)], start=MIDNIGHT, faults=Faults(), trouble=Trouble(), parallelism=20)
    lower = [Limit(5, 1_000)]
    with contextlib.redirect_stdout(io.StringIO()):
        world.send(1_500)
        world.hub.run(lambda: False, MIDNIGHT + 10_000)
        world.deploy(lower)
        world.hub.at(MIDNIGHT + 35_000, world.forget_environments)
        world.hub.run(lambda: False, MIDNIGHT + 80_000)
    world.finish()
    assert sum(instant > MIDNIGHT + 40_000 for instant in world.provider.instants) > 100, "it goes on"
    return world.provider.exceeded(lower, MIDNIGHT + 20_000)


def _always(*_: object) -> bool:
    return True


def test_a_deployment_that_lowers_a_tier_holds_within_seconds() -> None:
    assert not calls_after_a_tier_was_lowered()
    with patch.object(Doorbell, "current", _always):
        assert calls_after_a_tier_was_lowered()
