"""Two clocks of a process, and what they say about the quota's own.

The quota's clock never runs faster than real time. A process reads it low when it decides whether a call may start, and
high when it decides that a slot has passed or when a call has ended: whichever of its two clocks is wrong, a call
starts too late rather than too early, and its place is free too late rather than too early.
"""

from __future__ import annotations

from time import monotonic, time
from typing import NamedTuple

MAX_SKEW = 1_000
"""Clocks of two takers, or of a taker and the provider, differ by at most this much. AWS keeps those of Lambda within
milliseconds of UTC."""


class Reading(NamedTuple):
    """Both clocks of a process at one instant (ms)."""

    wall: int
    """Unix time. It may be wrong by some hundred milliseconds, and may be set."""
    monotonic: int
    """It is never set, but stands still while the machine does."""

    @classmethod
    def now(cls) -> Reading:
        """Read them."""
        return cls(int(time() * 1000), int(monotonic() * 1000))


class Frame(NamedTuple):
    """What the quota's clock was at a reading of a process."""

    clock: int
    at: Reading

    def low(self, now: Reading) -> int:
        """Return what the quota's clock has reached for certain."""
        return self.clock + now.monotonic - self.at.monotonic

    def high(self, now: Reading) -> int:
        """Return what it may have reached."""
        return self.clock + max(now.monotonic - self.at.monotonic, now.wall - self.at.wall)
