"""`python -m tests.simulation.costs`: what a million messages of 1 KB cost, and how long they wait, without trouble."""

from __future__ import annotations

import contextlib
import io
import random
from collections import Counter
from math import ceil
from statistics import quantiles

from cdk_breakwater.quota.counters import CALLS_PER_SECOND, MOST_HANDS
from cdk_breakwater.quota.reachable_rate import dispatcher_memory
from tests.simulation.provider import DAY, Limit
from tests.simulation.schedule import MIDNIGHT
from tests.simulation.services import Faults
from tests.simulation.world import Trouble, World

LOADS: tuple[tuple[str, tuple[Limit, ...], int, float], ...] = (
    # name, tiers, messages, mean seconds between two (0: all at once)
    ("1,000 a second, by four counters, a backlog", (Limit(1_000, 1_000),), 10_000, 0),
    ("250 a second, a backlog", (Limit(250, 1_000),), 5_000, 0),
    ("50 a second, a backlog", (Limit(50, 1_000),), 3_000, 0),
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


def measure(
    limits: tuple[Limit, ...], count: int, gap: float, padding: int = 1_000
) -> tuple[float, float, list[float]]:
    """Return dollars per million, use of the tightest tier while there is a backlog, and the waits (s)."""
    rate = min(limit.limit / limit.period for limit in limits) * 1_000
    counters = ceil(rate / CALLS_PER_SECOND)
    hands = max(20, ceil(MOST_HANDS * rate / CALLS_PER_SECOND))
    world = World(
        1, list(limits), start=MIDNIGHT, faults=Faults(), trouble=Trouble(), parallelism=hands, counters=counters
    )
    world.memory["dispatcher"] = dispatcher_memory(rate / counters, hands / counters, has_keys=False)
    world.padding = padding
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


KEYED: tuple[tuple[str, int, int, float], ...] = (
    # name, keys, messages, mean seconds between two (0: all at once)
    ("200 keys, 15 a second in all, a backlog", 200, 3_000, 0),
    ("200 keys, 10 a second offered", 200, 2_000, 1 / 10),
    ("2,000 keys of very different size, 80 a second offered", 2_000, 4_000, 1 / 80),
    ("50 keys, one message every 20 s", 50, 150, 20),
)


def measure_keyed(keys: int, count: int, gap: float) -> tuple[float, list[float]]:
    """Return dollars per million, and the waits (s), where each key is granted 2 a second."""
    shared = [Limit(300, 1_000)] if keys > 1_000 else [Limit(20, 1_000), Limit(150, 10_000)]
    world = World(
        1,
        shared,
        start=MIDNIGHT,
        faults=Faults(),
        trouble=Trouble(),
        parallelism=100 if keys > 1_000 else 40,
        key="$.key",
        key_limits=[Limit(2, 1_000), Limit(5_000, DAY, "UTC")],
    )
    world.memory["dispatcher"] = dispatcher_memory(300 if keys > 1_000 else 15, 100, has_keys=True)
    world.padding = 900
    world.network.bill.sizes = True
    draw, hub, at = random.Random(1), world.hub, 0.0  # noqa: S311 -- a load
    names = [f"tenant {number}" for number in range(keys)]
    chosen = draw.choices(names, [1 / (rank + 1) ** 1.1 if keys > 1_000 else 1 for rank in range(keys)], k=count)
    world.key_of = lambda number: chosen[number]
    if gap == 0:
        world.send(count)
    for _ in range(count if gap else 0):
        hub.at(hub.now + int(1_000 * at), lambda: world.send(1))
        at += draw.expovariate(1 / gap)
    hub.run(lambda: len(world.messages) == count and world.idle(), hub.now + DAY)
    world.finish()
    rare = Counter(chosen)
    waits = [
        (sent.calls[0] - sent.sent) / 1_000 for sent in world.messages.values() if rare[sent.key] < 2 * count / keys
    ]
    return world.network.bill.dollars() * 1e6 / count, waits


def main() -> None:
    for name, keys, messages, gap in KEYED:
        with contextlib.redirect_stdout(io.StringIO()):
            dollars, waits = measure_keyed(keys, messages, gap)
        steps = quantiles(waits, n=100)
        print(f"{name}: ${dollars:.2f} a million, wait of the quiet p50 {steps[49]:.1f} s, p99 {steps[98]:.1f} s")
    for name, limits, count, gap in LOADS:
        with contextlib.redirect_stdout(io.StringIO()):
            dollars, used, waits = measure(limits, count, gap)
        steps = quantiles(waits, n=100)
        wait = f"wait p50 {steps[49]:.1f} s, p99 {steps[98]:.1f} s" if gap else f"use {used:.0%}"
        print(f"{name}: ${dollars:.2f} a million, {wait}")
    with contextlib.redirect_stdout(io.StringIO()):
        dollars, *_ = measure((Limit(10, 1_000),), 100, 0, padding=1_000_000)
    print(f"messages of 1 MB, 10 a second, a backlog: ${dollars:.2f} a million")


if __name__ == "__main__":
    main()
