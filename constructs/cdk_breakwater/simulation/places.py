"""Places in the tiers of a quota, which calls hold until the provider can't count them any more.

Amounts and times are given by either model: whole calls whose end comes later, or parts of calls whose end is known.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .quota import Tier

_DUST = 1e-9


class RollingPlaces:
    """Of a tier that counts in any window of its length: a call holds its place until a period after its end.

    Parameters
    ----------
    tier
        The tier.
    grain
        Seconds to which it rounds up when a place is free.
    """

    def __init__(self, tier: Tier, grain: float) -> None:
        self.tier, self._grain = tier, grain
        self._held = 0.0
        self._releases: defaultdict[float, float] = defaultdict(float)
        self._times: list[float] = []  # of those, the next one first

    def free(self, now: float) -> float:
        """Give how many places are free."""
        while self._times and self._times[0] <= now + _DUST:
            self._held -= self._releases.pop(heapq.heappop(self._times))
        return self.tier.limit - self._held

    def next_free(self, now: float, wanted: float) -> float | None:  # noqa: ARG002 -- one after the other
        """Give when the next place is free; None where that depends on calls that have not ended."""
        self.free(now)
        return self._times[0] if self._times else None

    def take(self, start: float, amount: float) -> None:
        """Let calls begin."""
        self._held += amount
        if self.tier.arrival is not None:
            self._release(start + self.tier.arrival, amount)

    def end(self, start: float, end: float, amount: float) -> None:
        """Let calls end."""
        if self.tier.arrival is not None:
            if end >= start + self.tier.arrival:
                return
            self._release(start + self.tier.arrival, -amount)
        self._release(end, amount)

    def _release(self, at: float, amount: float) -> None:
        when = math.ceil(at / self._grain - _DUST) * self._grain + self.tier.period
        if when not in self._releases:
            heapq.heappush(self._times, when)
        self._releases[when] += amount


class CalendarPlaces:
    """Of a tier that counts from one period to the next.

    A call has a place in every period that it may fall into, from its start to when it must have ended, until its end
    is known.

    Parameters
    ----------
    tier
        The tier.
    longest_call
        Seconds within which a call has ended for certain.
    skew
        Seconds between two clocks: what begins or ends so near to a period's limit may fall into either.
    """

    def __init__(self, tier: Tier, longest_call: float, skew: float) -> None:
        self.tier = tier
        self._longest, self._skew = longest_call, skew
        self._counts: defaultdict[int, float] = defaultdict(float)

    def free(self, now: float) -> float:
        """Give how many places are free."""
        return self.tier.limit - max(self._counts[period] for period in self._touched(now, now + self._longest))

    def next_free(self, now: float, wanted: float) -> float | None:
        """Give when so many places are free; earlier where calls end that may have fallen into a later period."""
        touched = self._touched(now, now + self._longest)
        full = [period for period in touched if self._counts[period] > self.tier.limit - wanted + _DUST]
        return (max(full) + 1) * self.tier.period + self._skew if full else None

    def take(self, start: float, amount: float) -> None:
        """Let calls begin."""
        for period in self._touched(start, start + self._longest):
            self._counts[period] += amount

    def end(self, start: float, end: float, amount: float) -> None:
        """Let calls end."""
        for period in set(self._touched(start, start + self._longest)) - set(self._touched(start, end)):
            self._counts[period] -= amount

    def _touched(self, start: float, end: float) -> range:
        first, last = (math.floor(at / self.tier.period + _DUST) for at in (start - self._skew, end + self._skew))
        return range(first, last + 1)
