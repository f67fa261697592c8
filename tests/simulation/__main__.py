"""`python -m tests.simulation --schedules 100000`: look for a schedule that breaks a promise; print its seed."""

from __future__ import annotations

import argparse
import logging
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from tests.simulation import schedule
from tests.simulation.keyed_schedule import run_keyed
from tests.simulation.schedule import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.schedule import Result

AT_ONCE = 20
"""Schedules that a process plays before it tells of them."""


def prepare(divided: bool) -> None:
    """Prepare a process that plays schedules."""
    logging.disable(logging.WARNING)  # What goes wrong on purpose is no news.
    if divided:
        schedule.DIVIDED = 1.0


def play(seeds: range, *, run: Callable[[int], Result], until: float) -> list[Result]:
    """Play those of the schedules that can begin before a time (Unix s)."""
    return [replace(run(seed), callers=[]) for seed in seeds if time.time() < until]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="that play them (default: one a core)")
    parser.add_argument("--keys", action="store_true", help="of a quota per key")
    parser.add_argument("--divided", action="store_true", help="of a quota with several counters, where that can be")
    arguments = parser.parse_args()
    began = time.time()
    some = partial(play, run=run_keyed if arguments.keys else run, until=began + arguments.seconds)
    end = arguments.seed + arguments.schedules
    lots = [range(seed, min(end, seed + AT_ONCE)) for seed in range(arguments.seed, end, AT_ONCE)]
    done = bad = calls = repeated = 0
    console = Console(soft_wrap=True, markup=False, highlight=False)
    with (
        ProcessPoolExecutor(arguments.processes, initializer=prepare, initargs=(arguments.divided,)) as pool,
        Progress(
            *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn(), console=console
        ) as bar,
    ):
        task = bar.add_task("schedules", total=arguments.schedules)
        for lot in pool.map(some, lots):
            for result in lot:
                calls += result.calls
                repeated += result.repeated
                if not result.good:
                    bad += 1
                    bar.print(f"seed {result.seed}: {result}")
            done += len(lot)
            bar.update(task, completed=done)
    print(f"{done} schedules, {calls:,} calls, {repeated} repeated, {bad} broken, {time.time() - began:.0f} s")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
