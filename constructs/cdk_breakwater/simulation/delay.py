"""What is under way, and how much of it ends in each step to come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

_DUST = 1e-9
# Of so many at once, what chance does to each no longer shows.
_FEW = 50


class Delay:
    """Amounts that end in one of the next steps.

    Parameters
    ----------
    chance
        Draws when each of a few ends, where they are whole. Default: parts of each end as they do on average.
    """

    def __init__(self, chance: Random | None = None) -> None:
        self.total = 0.0
        self._chance = chance
        self._now = 0
        self._ending: dict[int, float] = {}

    def add(self, amount: float, ends: Sequence[tuple[int, float]]) -> None:
        """Let an amount begin: after so many steps that part of it ends."""
        if amount <= 0:
            return
        self.total += amount
        ending, now = self._ending, self._now
        if self._chance is not None and len(ends) > 1 and amount <= _FEW and amount == int(amount):
            weights = [part for _, part in ends]
            for steps, _ in self._chance.choices(ends, weights, k=int(amount)):
                ending[now + steps] = ending.get(now + steps, 0.0) + 1
            return
        for steps, part in ends:
            ending[now + steps] = ending.get(now + steps, 0.0) + amount * part

    def step(self) -> float:
        """Go a step further; give what ends in it."""
        self._now += 1
        ended = self._ending.pop(self._now, 0.0)
        self.total -= ended
        if self.total < _DUST:
            self.total = 0.0
        return ended

    def take_over(self, other: Delay) -> None:
        """Move everything that is under way there to here."""
        for step, amount in other._ending.items():
            at = step - other._now + self._now
            self._ending[at] = self._ending.get(at, 0.0) + amount
        self.total += other.clear()

    def clear(self) -> float:
        """Forget what is under way; give how much that was."""
        forgotten, self.total = self.total, 0.0
        self._ending.clear()
        return forgotten


def steps_of(seconds: float, step: float) -> list[tuple[int, float]]:
    """Give after how many steps something ends that takes so many seconds."""
    steps = max(1.0, seconds / step)
    whole = math.floor(steps)
    rest = steps - whole
    return [(whole, 1 - rest), (whole + 1, rest)] if rest > 1e-9 else [(whole, 1.0)]
