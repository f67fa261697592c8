"""One function, database and queue: the library against the same resources by hand, in pairs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

from .app_process import Run, resources, run

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL = 1.10
"""Wall time with the library, as a multiple of the same by hand."""


class Overhead(NamedTuple):
    """Pairs of runs, the library's first."""

    pairs: list[tuple[Run, Run]]
    resources: int

    def middle(self, side: int, measure: str) -> float:
        """Give one side's median in seconds."""
        return median(getattr(pair[side], measure) for pair in self.pairs)

    def ratio(self, measure: str) -> tuple[float, float, float]:
        """Give the quartiles of the pairs' ratios; the second is the median."""
        low, middle, high = quantiles([getattr(a, measure) / getattr(b, measure) for a, b in self.pairs], n=4)
        return low, middle, high


def measure_overhead(pairs: int, advance: Callable[[str], None]) -> Overhead:
    """Run the two apps in turn, the one that goes first changing from pair to pair.

    Raises
    ------
    AssertionError
        When the two templates differ in their resources.
    """
    with tempfile.TemporaryDirectory() as folder:
        guarded, by_hand = Path(folder, "guarded"), Path(folder, "by_hand")
        advance("warming up")
        run("guarded", assembly=guarded)
        layer = str(next(guarded.glob("asset.*")).rename(Path(folder, "layer")))
        run("by_hand", layer, assembly=by_hand)
        assert resources(guarded) == resources(by_hand), resources(guarded) - resources(by_hand)
        found = []
        for number in range(pairs):
            advance(f"pair {number + 1} of {pairs}")
            if number % 2:
                second, first = run("by_hand", layer), run("guarded")
            else:
                first, second = run("guarded"), run("by_hand", layer)
            found.append((first, second))
        return Overhead(found, resources(guarded).total())
