"""`python -m tests.simulation --schedules 100000`: look for a schedule that breaks a promise; print its seed."""

from __future__ import annotations

import argparse
import time

from tests.simulation import schedule
from tests.simulation.keyed_schedule import run_keyed
from tests.simulation.schedule import run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--keys", action="store_true", help="of a quota per key")
    parser.add_argument("--divided", action="store_true", help="of a quota with several counters, where that can be")
    arguments = parser.parse_args()
    if arguments.divided:
        schedule.DIVIDED = 1.0
    began, bad, calls, repeated, done = time.monotonic(), 0, 0, 0, 0
    for seed in range(arguments.seed, arguments.seed + arguments.schedules):
        if time.monotonic() - began > arguments.seconds:
            break
        result = (run_keyed if arguments.keys else run)(seed)
        done += 1
        calls += result.calls
        repeated += result.repeated
        if not result.good:
            bad += 1
            print(f"seed {seed}: {result}")
    print(f"{done} schedules, {calls:,} calls, {repeated} repeated, {bad} broken, {time.monotonic() - began:.0f} s")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
