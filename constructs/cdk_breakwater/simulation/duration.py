"""How long the work of a request takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True)
class Duration:
    """A lognormal distribution, as the durations of requests mostly are one; a fixed number without variation.

    Attributes
    ----------
    mean
        In seconds.
    variation
        The standard deviation divided by the mean.
    """

    mean: float
    variation: float = 0.0

    def of(self, requests: float) -> Duration:
        """Give how long several of them take, one after the other."""
        return Duration(self.mean * requests, self.variation / math.sqrt(max(1.0, requests)))

    def sample(self, chance: Random) -> float:
        """Draw one."""
        if not self.variation or not self.mean:
            return self.mean
        sigma2 = math.log1p(self.variation**2)
        return chance.lognormvariate(math.log(self.mean) - sigma2 / 2, math.sqrt(sigma2))

    def sample_of(self, requests: int, chance: Random) -> float:
        """Draw how long several of them take, one after the other."""
        return sum(self.sample(chance) for _ in range(requests))

    def within(self, seconds: float) -> float:
        """Give the part that takes no longer than so many seconds."""
        if not self.variation or not self.mean:
            return float(seconds >= self.mean)
        if seconds <= 0:
            return 0.0
        sigma2 = math.log1p(self.variation**2)
        distance = (math.log(seconds / self.mean) + sigma2 / 2) / math.sqrt(2 * sigma2)
        return (1 + math.erf(distance)) / 2

    def ends(self, step: float, longest: float, *, later: float = 0.0) -> list[tuple[int, float]]:
        """Give after how many steps of so many seconds which part ends, at the earliest after one.

        Parameters
        ----------
        step
            In seconds.
        longest
            What takes longer ends then, in seconds.
        later
            What each takes on top, in seconds.
        """
        return _ends(self, step, longest, later)


_PARTS = 32


@lru_cache(maxsize=4096)
def _ends(duration: Duration, step: float, longest: float, later: float) -> list[tuple[int, float]]:
    if not duration.variation or not duration.mean:
        return _between((min(duration.mean, longest) + later) / step, 1.0)
    sigma = math.sqrt(math.log1p(duration.variation**2))
    middles = [math.exp(sigma * NormalDist().inv_cdf((number + 0.5) / _PARTS)) for number in range(_PARTS)]
    scale = duration.mean * _PARTS / sum(middles)
    found: dict[int, float] = {}
    for middle in middles:
        for steps, weight in _between((min(middle * scale, longest) + later) / step, 1 / _PARTS):
            found[steps] = found.get(steps, 0.0) + weight
    return list(found.items())


def _between(steps: float, weight: float) -> list[tuple[int, float]]:
    whole = math.floor(steps)
    if whole < 1:
        return [(1, weight)]
    rest = steps - whole
    return [(whole, weight * (1 - rest)), (whole + 1, weight * rest)] if rest > 1e-9 else [(whole, weight)]
