"""`python -m tests.simulation.costs`: what a million messages of 1 KB cost, and how long they wait, without trouble."""

from __future__ import annotations

import contextlib
import io
import random
from statistics import quantiles

from tests.simulation.provider import DAY, Limit
from tests.simulation.schedule import MIDNIGHT
from tests.simulation.services import Faults
from tests.simulation.world import Trouble, World

LOADS: tuple[tuple[str, tuple[Limit, ...], int, float], ...] = (
    # name, tiers, messages, mean seconds between two (0: all at once)
    ("15 a second, a backlog", (Limit(20, 1_000), Limit(150, 10_000)), 3_000, 0),
    ("10 a second, a backlog", (Limit(10, 1_000),), 2_000, 0),
    ("1 per 5 s, a backlog", (Limit(1, 5_000),), 150, 0),
    ("1 per 10 s, a backlog", (Limit(1, 10_000),), 150, 0),
    ("1 per 19 s, a backlog", (Limit(1, 19_000),), 150, 0),
    ("a trickle, one every 20 s", (Limit(10, 1_000),), 150, 20),
    ("a trickle, one every 10 min", (Limit(10, 1_000),), 100, 600),
    ("8 a second offered of 10", (Limit(10, 1_000),), 2_000, 1 / 8),
    ("13 a second offered of 15", (Limit(20, 1_000), Limit(150, 10_000)), 3_000, 1 / 13),
    ("5 a day, 12 messages at once", (Limit(5, DAY),), 12, 0),
    ("1,000 a month, 1,500 messages at once", (Limit(10, 1_000), Limit(1_000, 30 * DAY, "UTC")), 1_500, 0),
)


def measure(limits: tuple[Limit, ...], count: int, gap: float) -> tuple[float, float, list[float]]:
    """Return dollars per million, use of the tightest tier while there is a backlog, and the waits (s)."""
    world = World(1, list(limits), start=MIDNIGHT, faults=Faults(), trouble=Trouble(), parallelism=20)
    world.padding = 1_000
    world.network.bill.sizes = True
    draw, hub, at = random.Random(1), world.hub, 0.0  # noqa: S311 -- a load
    if gap == 0:
        world.send(count)
    for _ in range(count if gap else 0):
        hub.at(hub.now + int(1_000 * at), lambda: world.send(1))
        at += draw.expovariate(1 / gap)
    hub.run(lambda: len(world.messages) == count and world.idle(), hub.now + 70 * DAY)
    world.finish()
    waits = [(sent.calls[0] - sent.sent) / 1_000 for sent in world.messages.values()]
    starts = sorted(sent.calls[0] for sent in world.messages.values())
    tightest = min(limits, key=lambda limit: limit.limit / limit.period)
    least = (count / tightest.limit - 1) * tightest.period
    return world.network.bill.dollars() * 1e6 / count, least / max(1, starts[-1] - starts[0]), waits


def main() -> None:
    for name, limits, count, gap in LOADS:
        with contextlib.redirect_stdout(io.StringIO()):
            dollars, used, waits = measure(limits, count, gap)
        steps = quantiles(waits, n=100)
        wait = f"wait p50 {steps[49]:.1f} s, p99 {steps[98]:.1f} s" if gap else f"use {used:.0%}"
        print(f"{name}: ${dollars:.2f} a million, {wait}")


if __name__ == "__main__":
    main()
