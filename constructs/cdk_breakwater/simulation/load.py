"""Arrivals over time: constant, rising, all at once, at random, or as they were recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from random import Random


@dataclass(frozen=True)
class Stretch:
    """A time in which the rate goes straight from one value to another.

    Attributes
    ----------
    start, end
        In seconds. Where they are the same, everything comes at once.
    first, last
        Requests per second at the start and at the end; where all come at once, `first` is how many do.
    """

    start: float
    end: float
    first: float
    last: float

    @property
    def total(self) -> float:
        """How many come."""
        return self.first if self.start == self.end else (self.end - self.start) * (self.first + self.last) / 2

    def before(self, now: float) -> float:
        """How many have come before a time."""
        if now <= self.start:
            return 0.0
        if now >= self.end:
            return self.total
        since = now - self.start
        return since * (self.first + (self.last - self.first) * since / (self.end - self.start) / 2)

    def when(self, count: float) -> float:
        """When so many have come."""
        if self.start == self.end:
            return self.start
        growth = (self.last - self.first) / (self.end - self.start)
        # Of the two roots of first·t + growth·t²/2 = count, the one that stays exact where growth is next to nothing.
        root = math.sqrt(max(0.0, self.first**2 + 2 * growth * count))
        return self.start + (2 * count / (self.first + root) if count else 0.0)


@dataclass(frozen=True)
class Load:
    """What comes.

    Attributes
    ----------
    stretches
        Its parts, each on top of the others where they overlap.
    at_random
        Whether requests come independently of each other (a Poisson process), or at equal distances.
    """

    stretches: tuple[Stretch, ...]
    at_random: bool = False

    @property
    def end(self) -> float:
        """When the last one may come."""
        return max((stretch.end for stretch in self.stretches), default=0.0)

    @property
    def total(self) -> float:
        """How many come, on average."""
        return sum(stretch.total for stretch in self.stretches)

    @property
    def peak(self) -> float:
        """The highest rate, in requests per second; of what comes at once, how many do."""
        return max((max(each.first, each.last) for each in self.stretches), default=0.0)

    def scaled(self, factor: float) -> Load:
        """Give the same with so many times the requests."""
        parts = tuple(Stretch(each.start, each.end, each.first * factor, each.last * factor) for each in self.stretches)
        return Load(parts, self.at_random)

    def times(self, chance: Random) -> Iterator[float]:
        """Give when each comes, in order."""
        yield from sorted(time for stretch in self.stretches for time in self._times(stretch, chance))

    def counts(self, step: float, chance: Random) -> Iterator[float]:
        """Give how many come in each step of so many seconds, until the last one."""
        for number in range(math.floor(self.end / step) + 1):
            start, end = number * step, (number + 1) * step
            expected = 0.0
            for each in self.stretches:
                if each.start == each.end:
                    expected += each.total if start <= each.start < end else 0.0
                elif each.start < end and each.end > start:
                    expected += each.before(end) - each.before(start)
            yield _poisson(expected, chance) if self.at_random else expected

    def _times(self, stretch: Stretch, chance: Random) -> Iterator[float]:
        count = chance.expovariate(1) if self.at_random else 0.5
        # A half may be lost to rounding where the whole is a whole number.
        while count < stretch.total + 1e-9:
            yield stretch.when(count)
            count += chance.expovariate(1) if self.at_random else 1


def constant(rate: float, seconds: float, *, start: float = 0) -> Load:
    """Give requests at equal distances."""
    return Load((Stretch(start, start + seconds, rate, rate),))


def ramp(first: float, last: float, seconds: float) -> Load:
    """Give requests at a rate that rises or falls."""
    return Load((Stretch(0, seconds, first, last),))


def spike(count: float, at: float = 0) -> Load:
    """Give requests that come all at once."""
    return Load((Stretch(at, at, count, count),))


def poisson(rate: float, seconds: float) -> Load:
    """Give requests that come independently of each other."""
    return Load((Stretch(0, seconds, rate, rate),), at_random=True)


def recorded(rows: Sequence[tuple[float, float]]) -> Load:
    """Give what was counted.

    Parameters
    ----------
    rows
        From when on, in seconds, how many came until the next row; the last one counts for as long as the one before
        it, or for a minute where it is the only one.
    """
    if not rows:
        return Load(())
    ends = [start for start, _ in rows[1:]]
    last = rows[-1][0] - rows[-2][0] if len(rows) > 1 else 60.0
    parts = [
        Stretch(start, end, count / (end - start), count / (end - start))
        for (start, count), end in zip(rows, [*ends, rows[-1][0] + last], strict=True)
        if count
    ]
    return Load(tuple(parts))


def together(loads: Iterable[Load]) -> Load:
    """Give several on top of each other; at random where one of them is."""
    loads = list(loads)
    return Load(tuple(part for load in loads for part in load.stretches), any(load.at_random for load in loads))


# From here on a normal distribution is as good: its error in a count is below a thousandth of it.
_MANY = 60


def _poisson(mean: float, chance: Random) -> float:
    if mean > _MANY:
        return max(0.0, round(chance.gauss(mean, math.sqrt(mean))))
    count, product, least = 0, chance.random(), math.exp(-mean)
    while product > least:
        count += 1
        product *= chance.random()
    return float(count)
