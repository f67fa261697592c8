"""The counts and levels of a burst over time, in some parts of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..simulation.history import Counts, Levels
    from .simulated_burst import Run


def highest(levels: Levels, run: Run, parts: int) -> list[float]:
    """Give the highest value in each of some parts of the time."""
    return [_peak(levels, start, end, run) for start, end in times(run, parts)]


def counted(counts: Counts, run: Run, parts: int) -> list[float]:
    """Give how often something happened in each of some parts of the time."""
    step = run.history.step
    return [
        sum(counts.values[int(start / step) : max(int(start / step) + 1, int(end / step))])
        for start, end in times(run, parts)
    ]


def times(run: Run, parts: int) -> list[tuple[float, float]]:
    """Divide the time into parts of whole steps, as far as there are so many."""
    steps = max(1, math.ceil(run.history.seconds / run.history.step) + 1)
    parts = min(parts, steps)
    edges = [round(number * steps / parts) * run.history.step for number in range(parts + 1)]
    return [(edges[number], edges[number + 1]) for number in range(parts)]


def _peak(levels: Levels, start: float, end: float, run: Run) -> float:
    first, last = round(start / run.history.step), round(end / run.history.step)
    known = levels.values[first:last]
    return max(known) if known else levels.last
