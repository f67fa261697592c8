"""Several counters: as fast as all of them together, never faster, and none keeps what it can't call."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from unittest.mock import patch

import pytest

from handlers.quota_dispatcher import settings as settings_module
from tests.simulation.provider import Limit
from tests.simulation.schedule import MIDNIGHT, counters_of
from tests.simulation.services import Faults
from tests.simulation.world import Trouble, World

pytestmark = pytest.mark.no_cover


def world_of(*limits: Limit, counters: int, batch: int = 100) -> World:
    return World(
        1,
        list(limits),
        start=MIDNIGHT,
        faults=Faults(),
        trouble=Trouble(),
        parallelism=100 * counters,
        counters=counters,
        batch=batch,
    )


def test_four_counters_are_four_times_as_fast() -> None:
    """Of 1,000 a second: with calls of 85 ms on the average, 922 are possible in the long run.

    So they are where each response says what remains: each counter has made a part of what the provider has counted.
    """
    limit = Limit(1_000, 1_000)
    world = world_of(limit, counters=4)
    world.tells = limit
    with contextlib.redirect_stdout(io.StringIO()):
        world.send(2_500)
        world.hub.run(world.settled, MIDNIGHT + 20_000)
    world.finish()
    instants = world.provider.instants
    assert len(instants) == 2_500
    assert max(instants) - min(instants) < 3_000
    assert not world.provider.exceeded(world.provider.limits)


def test_every_counter_gets_as_much_though_a_batch_is_more_than_one_takes() -> None:
    world = world_of(Limit(120, 1_000), counters=4)
    with contextlib.redirect_stdout(io.StringIO()):
        world.send(600)
        world.hub.run(lambda: False, MIDNIGHT + 5_000)
    world.finish()
    assert {counter.seen for counter in counters_of(world)} == {150}


def exceeded_by(limits: list[Limit]) -> list[str]:
    world = world_of(*limits, counters=3, batch=5)
    with contextlib.redirect_stdout(io.StringIO()):
        world.send(60)
        world.hub.run(world.settled, MIDNIGHT + 20_000)
    world.finish()
    return world.provider.exceeded(limits)


def test_a_counter_that_grants_more_than_its_part_is_noticed() -> None:
    limits = [Limit(20, 1_000)]
    assert not exceeded_by(limits)

    def all_of_it(tiers: list[dict[str, int]], number: int, counters: int) -> list[dict[str, int]]:
        del number, counters
        return tiers

    with patch.object(settings_module, "parts", all_of_it):
        assert exceeded_by(limits)


def test_what_waits_at_a_counter_that_grants_nothing_any_more_is_called_by_others() -> None:
    world = world_of(Limit(30, 1_000), counters=5, batch=5)
    lower = [Limit(2, 1_000)]
    with contextlib.redirect_stdout(io.StringIO()):
        world.send(300)
        world.hub.run(lambda: len(world.provider.instants) > 100, MIDNIGHT + 60_000)
        world.deploy(lower)
        world.hub.run(world.settled, MIDNIGHT + 400_000)
    world.finish()
    assert world.settled()
    assert not world.provider.exceeded(lower, MIDNIGHT + 60_000)
    assert max(world.provider.instants) > MIDNIGHT + 60_000, "some were called by the lower tier"


@pytest.mark.parametrize(("counters", "before", "after"), [(1, 12, 30), (5, 12, 13), (5, 13, 12), (5, 43, 40)])
def test_limits_that_change_within_a_period_are_used_to_the_higher_one(counters: int, before: int, after: int) -> None:
    """A higher one is noticed by the ring that comes every 15 minutes. No counter's part grows when a limit falls."""
    hour, minute = 3_600_000, 60_000
    world = world_of(Limit(before, hour), counters=counters, batch=5)
    with contextlib.redirect_stdout(io.StringIO()):
        world.send(before + 10)
        world.hub.run(lambda: False, MIDNIGHT + 5 * minute)
        world.deploy([Limit(after, hour)])
        world.hub.run(lambda: False, MIDNIGHT + 6 * minute)
        world.forget_environments()
        world.send(40)
        world.hub.run(lambda: False, MIDNIGHT + 30 * minute)
    world.finish()
    assert len(world.provider.instants) == max(before, after)


def test_a_quota_that_was_used_before_goes_on_with_one_counter() -> None:
    world = world_of(Limit(20, 1_000), counters=1)
    with contextlib.redirect_stdout(io.StringIO()):
        world.send(40)
        world.hub.run(world.settled, MIDNIGHT + 20_000)
        world.settings = replace(world.settings, counters=4)
        world.forget_environments()
        world.send(40)
        assert world.hub.run(world.settled, MIDNIGHT + 40_000)
    world.finish()
    assert not world.provider.exceeded(world.provider.limits)
    assert not [name for name in world.dynamodb.items if name.startswith("quota/")]
