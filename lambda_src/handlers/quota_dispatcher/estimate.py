"""Between which two instants the quota's clock is, for one who reads it and doesn't set it.

Whoever sets the clock gives up a second, since its clock may differ from the one before, and whoever has set it before
can't go on with its own. Calls that come one by one would do so all the time, and the clock would stand still. So they
leave it as it was set, and know it within twice that second: a call starts by the lower end, and ends by the upper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .clocks import MAX_SKEW

if TYPE_CHECKING:
    from .clocks import Reading
    from .counter import Counter


class Estimate(NamedTuple):
    """What is known of a counter's clock; `Counter.advance` has let it catch up to the lower end."""

    low: int
    high: int
    clock: int
    """As it was set."""
    wall: int
    timed_by: str

    @classmethod
    def of(cls, counter: Counter, now: Reading, token: str) -> Estimate:
        """Let the clock of a counter catch up.

        Parameters
        ----------
        token
            Of the write that has left the counter so.
        """
        quota = counter.quota
        clock, wall = quota.clock, quota.wall
        counter.advance(now, None)
        if not clock:  # It was never set.
            return cls(quota.clock, quota.clock, quota.clock, quota.wall, "")
        high = clock + max(0, now.wall - wall + MAX_SKEW)
        return cls(quota.clock, high, clock, wall, counter.timed_by or token)

    def leave(self, counter: Counter) -> None:
        """Leave the clock as it was set."""
        counter.quota.clock, counter.quota.wall, counter.timed_by = self.clock, self.wall, self.timed_by
