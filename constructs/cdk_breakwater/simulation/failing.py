"""Which messages fail each time, where a part of them does."""

from __future__ import annotations


class Failing:
    """Spreads the messages that fail evenly over all.

    Parameters
    ----------
    part
        How many of all fail, 0 to 1.
    """

    def __init__(self, part: float) -> None:
        self._part = part
        self._sum = 0.5

    def next_one(self) -> bool:
        """Tell whether the next message fails each time."""
        self._sum += self._part
        fails = self._sum >= 1
        self._sum %= 1
        return fails
