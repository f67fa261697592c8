"""Retries with decorrelated jitter, until the deadline, and what to say when they were in vain."""

from __future__ import annotations

import os
from time import monotonic, sleep
from typing import TYPE_CHECKING

from breakwater_runtime.errors import ConnectionUnavailable

if TYPE_CHECKING:
    from breakwater_runtime.deadline import Deadline

BASE_SECONDS = 0.01
CAP_SECONDS = 0.25
# A refusal costs the server as much as a login where it comes after one (PostgreSQL's reserved slots), and takes longer
# the more of them there are. So after a slow one the pause grows to so many times what it took, within a second.
CAP_TIMES_TAKEN = 10
LONGEST_CAP_SECONDS = 1.0


def jitter(low: float, high: float) -> float:
    """Draw a number between two; from the system, since a SnapStart snapshot would repeat a generator's seed."""
    return low + (high - low) * int.from_bytes(os.urandom(4), "big") / 0xFFFFFFFF


class Attempts:
    """The attempts at one thing.

    The pause before each is drawn between the base and three times the one before ("decorrelated jitter", AWS
    Architecture Blog, "Exponential Backoff And Jitter"), so that environments that were refused together don't
    come back together.
    """

    def __init__(self, target: str, deadline: Deadline, least_seconds: float = 0) -> None:
        self.target = target
        self._least_seconds = least_seconds  # below that, another attempt is not begun
        self._deadline = deadline
        self._started = self._begun = monotonic()
        self._pause = BASE_SECONDS
        self._reasons: dict[str, int] = {}
        self.count = 0

    def failed(self, error: Exception) -> None:
        """Note a failure and wait until the next attempt is due; raise once no time is left for it."""
        sleep(self.pause_after(error))

    def pause_after(self, error: Exception) -> float:
        """Note a failure and return the seconds until the next attempt; raise once no time is left for it."""
        self.count += 1
        reason = " ".join(str(error).split()) or type(error).__name__
        self._reasons[reason] = self._reasons.get(reason, 0) + 1
        now = monotonic()
        taken = now - self._begun
        cap = min(LONGEST_CAP_SECONDS, max(CAP_SECONDS, CAP_TIMES_TAKEN * taken))
        self._pause = min(cap, jitter(BASE_SECONDS, self._pause * 3))
        left = self._deadline.remaining() - self._least_seconds
        if left < self._pause:
            # the last attempt is made while there is as much time as this one took
            self._pause = left - taken
            if self._pause < BASE_SECONDS:
                raise self.over() from error
        self._begun = now + self._pause
        return self._pause

    def over(self) -> ConnectionUnavailable:
        """Return what to raise once the time is over."""
        if not self.count:
            return ConnectionUnavailable(f"{self.target}: not asked, since the invocation's time is over", 0)
        tried = "; ".join(f"{count} times {reason}" for reason, count in self._reasons.items())
        return ConnectionUnavailable(
            f"{self.target}: no connection after {self.count} attempt{'s' * (self.count > 1)} in "
            f"{monotonic() - self._started:.1f} s, the invocation's time is over: {tried}",
            self.count,
        )
