"""Many functions on one database: whether the time of a synth grows in proportion."""

from __future__ import annotations

from statistics import correlation, linear_regression, median
from typing import TYPE_CHECKING, NamedTuple

from .app_process import Run, run

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1, 100, 200, 300)
GOAL = 1.2
"""Time per function at 300, as a multiple of that at 100."""


class Scaling(NamedTuple):
    """Rounds of one run per size."""

    rounds: list[dict[int, Run]]

    def middle(self, size: int, measure: str) -> float:
        """Give the median of a size in seconds."""
        return median(getattr(round_[size], measure) for round_ in self.rounds)

    def per_function(self, size: int, measure: str) -> float:
        """Give the median of what each function adds to an app that has one, in seconds."""
        return median(_added(round_, size, measure) for round_ in self.rounds)

    def growth(self, measure: str) -> float:
        """Give the median over the rounds of the time per function at 300 by that at 100."""
        return median(_added(round_, 300, measure) / _added(round_, 100, measure) for round_ in self.rounds)

    def fit(self, measure: str) -> tuple[float, float, float]:
        """Fit a line through all runs: seconds per function, seconds for the rest, and how well it fits (R²)."""
        points = [(size, getattr(taken, measure)) for round_ in self.rounds for size, taken in round_.items()]
        sizes, seconds = zip(*points, strict=True)
        slope, intercept = linear_regression(sizes, seconds)
        return slope, intercept, correlation(sizes, seconds) ** 2


def measure_scaling(rounds: int, advance: Callable[[str], None]) -> Scaling:
    """Synthesize each size once per round."""
    found = []
    for number in range(rounds):
        taken = {}
        for size in SIZES:
            advance(f"round {number + 1} of {rounds}: {size} functions")
            taken[size] = run("many", str(size))
        found.append(taken)
    return Scaling(found)


def _added(round_: dict[int, Run], size: int, measure: str) -> float:
    return (getattr(round_[size], measure) - getattr(round_[1], measure)) / (size - 1)
