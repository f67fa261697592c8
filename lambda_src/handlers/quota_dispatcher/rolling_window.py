"""A tier that counts over any window of its length: "10 calls in any second"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MARKS = 64
"""A window remembers at most about so many moments. Up to this limit each call has its own, beyond it a moment stands
for period / 64: it is rounded up, so at worst 1/65 (1.5 %) of the quota is left unused, and all of it fits in one
DynamoDB write unit (1 KB)."""


_SHORTEST_MEMORY, _LONGEST_MEMORY = 2_000, 60_000


class Places:
    """Places of a window, in the order in which they become free.

    Parameters
    ----------
    clock
        Now.
    releases
        When places become free, and how many.
    spare
        How many are free now; below 0, so many of the next ones are nobody's.
    """

    def __init__(self, clock: int, releases: list[tuple[int, int]], spare: int) -> None:
        self._at = clock
        self._releases = releases
        self._spare = spare
        self._next = 0

    def take(self, number: int) -> int | None:
        """Take the next ones; return when the last of them is free, None when that is not known."""
        while self._spare < number:
            if self._next == len(self._releases):
                return None
            self._at, calls = self._releases[self._next]
            self._next += 1
            self._spare += calls
        self._spare -= number
        return self._at


class RollingWindow:
    """The calls of one rolling tier: when they ended, by the quota's clock.

    Only the interval of a call is known here, never the instant at which the provider counted it. So a call occupies
    the window from the moment its slot is taken until one period after its end. Two calls that use the same place one
    after the other are then more than one period apart, however slow the first one was.

    Parameters
    ----------
    limit
        Calls per period.
    period
        Milliseconds.
    arrival
        Where the provider counts a call when it arrives: milliseconds after the start of its slot within which it has
        arrived for certain. A call then holds its place for so long and a period, however long it goes on. None: it
        may be counted until its end.
    weight
        Where the weight of a message stands; empty when each call counts as one.
    """

    def __init__(self, limit: int, period: int, arrival: int | None = None, weight: str = "") -> None:
        self.stated = self.limit = limit
        self.period = period
        self.arrival = arrival
        self.weight = weight
        self.key = f"{'rolling' if arrival is None else 'arrival'}:{period}" + (f":{weight}" if weight else "")
        # Marks by arrival are taken back, which takes a grain that is the same whatever the limit becomes.
        self.grain = 1 if limit <= MARKS and arrival is None else -(-period // MARKS)
        self.ends: dict[int, int] = {}

    def end(self, at: int, calls: int = 1) -> None:
        """Note that calls (or so much of weight) ended at ``at`` (rounded up to the grain)."""
        mark = -(-at // self.grain)
        if calls:
            self.ends[mark] = self.ends.get(mark, 0) + calls

    def remove(self, at: int, calls: int = 1) -> bool:
        """Take back what was noted at ``at``; False when it was forgotten since."""
        mark = -(-at // self.grain)
        if mark not in self.ends:
            return False
        self.ends[mark] -= calls
        if self.ends[mark] <= 0:
            del self.ends[mark]
        return True

    @property
    def memory(self) -> int:
        """So long (ms) what has left the window is kept to compare it with what a provider says of the past."""
        return max(_SHORTEST_MEMORY, min(_LONGEST_MEMORY, self.period))

    def forget(self, clock: int, *, remember: bool = False) -> None:
        """Drop what has left the window, or did so a while ago."""
        clock -= self.memory if remember else 0
        for mark in [mark for mark in self.ends if self._release(mark) <= clock]:
            del self.ends[mark]

    def empty_at(self) -> int:
        """Return when the last call has left the window."""
        return max((self._release(mark) for mark in self.ends), default=0)

    def ended_since(self, at: int) -> int:
        """Count what ended at an instant that is remembered, or later."""
        return sum(calls for mark, calls in self.ends.items() if mark * self.grain >= at)

    def used(self, clock: int) -> int:
        """Count the calls that the window holds at ``clock``, those in flight excepted."""
        return sum(calls for mark, calls in self.ends.items() if self._release(mark) > clock)

    def ahead(self, clock: int) -> int:
        """Count what is noted of calls that start after ``clock``, since they arrive then."""
        if self.arrival is None:
            return 0
        return sum(calls for mark, calls in self.ends.items() if mark * self.grain - self.arrival > clock)

    def places(self, clock: int, in_flight: int) -> Places:
        """Return when the next calls may start, for as many as can be known.

        The places of calls in flight, and of those that start now, become free when their end is known.
        """
        releases = sorted((max(clock, self._release(mark)), calls) for mark, calls in self.ends.items())
        return Places(clock, releases, self.limit - in_flight - sum(calls for _, calls in releases))

    def spend(self, clock: int, in_flight: int) -> None:
        """Fill the window, since the provider says that it is full: others use the same key."""
        missing = self.limit - in_flight - self.used(clock)
        if missing > 0:
            self.end(clock, missing)

    def lower(self, limits: Mapping[str, Sequence[int]]) -> None:
        """Keep to the limit that the provider has named, by the tier's key, where that is lower than the stated one."""
        self.limit = min(self.stated, limits.get(self.key, (self.stated,))[0])

    def dump(self) -> list[int]:
        """Write as mark, calls, distance to the next mark, calls, ..."""
        flat: list[int] = []
        previous = 0
        for mark in sorted(self.ends):
            flat += [mark - previous, self.ends[mark]]
            previous = mark
        return flat

    def load(self, flat: list[int], grain: int) -> None:
        """Read what `dump` wrote, by a window of this or another grain."""
        mark = 0
        for distance, calls in zip(flat[::2], flat[1::2], strict=True):
            mark += distance
            self.end(mark * grain, calls)

    def _release(self, mark: int) -> int:
        # One millisecond more than the period: a provider may count both edges of its window.
        return mark * self.grain + self.period + 1
