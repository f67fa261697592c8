"""A tier that counts over any window of its length: "10 calls in any second"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKS = 64
"""A window remembers at most about so many moments. Up to this limit each call has its own, beyond it a moment stands
for period / 64: it is rounded up, so at worst 1/65 (1.5 %) of the quota is left unused, and all of it fits in one
DynamoDB write unit (1 KB)."""


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
    """

    def __init__(self, limit: int, period: int, arrival: int | None = None) -> None:
        self.limit = limit
        self.period = period
        self.arrival = arrival
        self.key = f"{'rolling' if arrival is None else 'arrival'}:{period}"
        # Marks by arrival are taken back, which takes a grain that is the same whatever the limit becomes.
        self.grain = 1 if limit <= MARKS and arrival is None else -(-period // MARKS)
        self.ends: dict[int, int] = {}

    def end(self, at: int, calls: int = 1) -> None:
        """Note that calls ended at ``at`` (rounded up to the grain)."""
        mark = -(-at // self.grain)
        self.ends[mark] = self.ends.get(mark, 0) + calls

    def remove(self, at: int) -> bool:
        """Take back one that was noted at ``at``; False when it was forgotten since."""
        mark = -(-at // self.grain)
        if mark not in self.ends:
            return False
        self.ends[mark] -= 1
        if not self.ends[mark]:
            del self.ends[mark]
        return True

    def forget(self, clock: int) -> None:
        """Drop what has left the window."""
        for mark in [mark for mark in self.ends if self._release(mark) <= clock]:
            del self.ends[mark]

    def used(self, clock: int) -> int:
        """Count the calls that the window holds at ``clock``, those in flight excepted."""
        return sum(calls for mark, calls in self.ends.items() if self._release(mark) > clock)

    def free(self, clock: int, in_flight: int) -> Iterator[int]:
        """When the next calls may start, one entry for each, in order, for as many as can be known.

        The places of calls in flight, and of those that start now, become free when their end is known.
        """
        releases = sorted((self._release(mark), calls) for mark, calls in self.ends.items())
        spare = self.limit - in_flight - sum(calls for _, calls in releases)
        for _ in range(spare):
            yield clock
        for release, calls in releases:
            for _ in range(calls):
                spare += 1
                if spare > 0:
                    yield max(clock, release)

    def spend(self, clock: int, in_flight: int) -> None:
        """Fill the window, since the provider says that it is full: others use the same key."""
        missing = self.limit - in_flight - self.used(clock)
        if missing > 0:
            self.end(clock, missing)

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
