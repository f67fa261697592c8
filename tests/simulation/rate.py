"""`python -m tests.simulation.rate`: so many calls a second by one quota, in an account without trouble."""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from bisect import bisect_left

from cdk_breakwater.quota.counters import MOST_HANDS
from tests.simulation.provider import Limit
from tests.simulation.schedule import MIDNIGHT, without_collector
from tests.simulation.services import Faults
from tests.simulation.world import DOOR, Trouble, World

POLLERS = 5
"""Of Lambda, that read a queue from the start (AWS Lambda Developer Guide, "Configuring scaling behavior")."""


def called(
    rate: int, counters: int, seconds: int, milliseconds: tuple[int, int] = (20, 150), arrives: int = 0
) -> tuple[World, Limit]:
    """Let as many messages wait as so many seconds grant, and call them all."""
    limit = Limit(rate, 1_000, arrives=arrives)
    world = World(
        1,
        [limit],
        start=MIDNIGHT,
        faults=Faults(),
        trouble=Trouble(),
        parallelism=MOST_HANDS * counters,
        counters=counters,
    )
    world.environments = 1_000_000
    world.durations = milliseconds
    with contextlib.redirect_stdout(io.StringIO()), without_collector():
        world.send(rate * seconds)
        for _ in range(POLLERS - 1):
            world.sqs._plan(DOOR, MIDNIGHT, full=True)
        world.hub.run(world.settled, MIDNIGHT + 20 * 60_000)
    world.finish()
    return world, limit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=10_000, help="calls a second that are granted")
    parser.add_argument("--counters", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=8, help="so much waits")
    parser.add_argument("--calls", type=int, nargs=2, default=(20, 150), help="least and most milliseconds of a call")
    parser.add_argument("--arrives", type=int, default=0, help='milliseconds, with counted="arrival"')
    options = parser.parse_args()
    began = time.process_time()
    world, limit = called(options.rate, options.counters, options.seconds, tuple(options.calls), options.arrives)
    spent = time.process_time() - began
    ends = sorted(sent.ends[0] for sent in world.messages.values() if sent.ends)
    starts = sorted(sent.calls[0] for sent in world.messages.values() if sent.calls)
    for second in range(starts[0], starts[-1], 1_000):
        made = bisect_left(starts, second + 1_000) - bisect_left(starts, second)
        in_flight = bisect_left(starts, second + 1_000) - bisect_left(ends, second + 1_000)
        print(f"{(second - starts[0]) // 1_000:4} s  {made:7,} calls begun  {in_flight:7,} in flight")
    print(
        f"{len(starts):,} calls in {(starts[-1] - starts[0]) / 1_000:.1f} s, "
        f"{len(world.provider.exceeded([limit]))} windows exceeded, {len(world.open)} messages left; "
        f"{1e6 * spent / len(starts):.0f} us of processor time each, the simulated account included"
    )


if __name__ == "__main__":
    main()
