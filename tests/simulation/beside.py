"""Functions that call the provider themselves, where hardly anything else happens."""

from __future__ import annotations

import contextlib
import io

from tests.simulation.callers import call, on_virtual_time
from tests.simulation.provider import Limit
from tests.simulation.schedule import MIDNIGHT, SETTLED
from tests.simulation.services import Faults
from tests.simulation.world import Trouble, World


def a_caller_dies(seed: int) -> list[str]:
    """Let a caller be killed in a call that the provider counts until its invocation would have ended."""
    limits = [Limit(1, 20_000)]
    world = World(seed, limits, start=MIDNIGHT, faults=Faults(), trouble=Trouble())
    world.durations = (29_000, 29_000)
    with contextlib.redirect_stdout(io.StringIO()), on_virtual_time():
        caller = call(world)
        world.hub.run(lambda: bool(world.provider.instants), world.hub.now + 20_000)
        caller.machine.dead = True
        world.durations = (20, 150)
        world.send(3)
        world.hub.run(world.settled, world.hub.now + 600_000)
    world.finish()
    assert world.settled()
    return world.provider.exceeded(limits)


def a_tier_is_lowered(seed: int) -> list[str]:
    """Let a deployment lower a tier of which nobody but callers knows."""
    lower = [Limit(1, 5_000)]
    world = World(seed, [Limit(10, 5_000)], start=MIDNIGHT, faults=Faults(), trouble=Trouble())
    with contextlib.redirect_stdout(io.StringIO()), on_virtual_time():
        for second in range(120):
            world.hub.after(1_000 * second, lambda: call(world, within=4.0))
        world.hub.after(10_000, lambda: world.deploy(lower))
        world.hub.run(lambda: False, world.hub.now + 150_000)
    world.finish()
    assert len(world.provider.instants) > 15
    return world.provider.exceeded(lower, MIDNIGHT + 10_000 + SETTLED)
