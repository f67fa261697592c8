"""How many calls may be in the air at once: as many as the function has environments, which only its refusals tell."""

from __future__ import annotations

GROWTH = 5_000
"""Milliseconds without a refusal after which a quarter more is tried, whether calls were made meanwhile or not."""


class Hands:
    """What an execution environment has learned.

    Parameters
    ----------
    most
        The quota's parallelism.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._learned = most
        self._since = 0

    def count(self, now: int) -> int:
        """Return how many there are, at an instant of the monotonic clock (ms)."""
        while self._learned < self._most and now - self._since >= GROWTH:
            self._learned = min(self._most, self._learned + max(1, self._learned // 4))
            self._since += GROWTH
        return self._learned

    def refused(self, others: int, now: int) -> bool:
        """Take note that Lambda refused a call while it ran so many others.

        Returns
        -------
        bool
            Whether there are too many hands. Where it ran no other, the function itself is away.
        """
        if others:
            self._learned, self._since = min(others, self._learned), now
        return others > 0
