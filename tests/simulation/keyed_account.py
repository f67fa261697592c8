"""An account with a quota per key in which all is well, but for one tenant."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from tests.simulation.provider import Limit
from tests.simulation.schedule import MIDNIGHT
from tests.simulation.services import Faults
from tests.simulation.world import Trouble, World


def quiet(shared: tuple[Limit, ...], each: tuple[Limit, ...], **options: Any) -> World:
    """Make one."""
    return World(
        1, list(shared), start=MIDNIGHT, faults=Faults(), trouble=Trouble(), key="$.key", key_limits=each, **options
    )


def run_for(world: World, seconds: float) -> None:
    """Let time pass."""
    with contextlib.redirect_stdout(io.StringIO()):
        world.hub.run(lambda: False, world.hub.now + int(1_000 * seconds))


def waits(world: World, key: str) -> list[float]:
    """Return how long (s) each message of a tenant has waited for its first call."""
    return [
        (sent.calls[0] - sent.sent) / 1_000 if sent.calls else float("inf")
        for sent in world.messages.values()
        if sent.key == key
    ]


def one_in_trouble(trouble: str) -> World:
    """Let one tenant have a backlog, and another send two messages a second; a backlog alone, or with more trouble."""
    shared = [Limit(20, 1_000)]
    if trouble == "heavy":  # each of its calls holds a part of what all may weigh
        shared = [Limit(200, 1_000, weighted=True)]
    each = Limit(30 if trouble == "slow" else 5, 1_000)
    world = quiet(tuple(shared), (each,), parallelism=40)
    count = 3_000
    if trouble == "closed":
        world.key_closed_until["noisy"] = 1 << 60
        world.says = "RetryAfter(600)"
    if trouble == "failing":
        world.key_fails.add("noisy")
    if trouble in ("slow", "heavy"):
        world.key_slow.add("noisy")
        count = 200
    if trouble == "heavy":
        world.weigh = lambda: 50
        count = 60
    world.key_of = lambda _: "noisy"
    world.send(count)
    run_for(world, 40)  # until all of it is filed, by mappings of which one gathers at a time here
    world.key_of = lambda _: "quiet"
    world.weigh = lambda: 10
    for second in range(20):
        world.hub.after(1_000 * second, lambda: world.send(2))
    run_for(world, 40)
    world.finish()
    return world
