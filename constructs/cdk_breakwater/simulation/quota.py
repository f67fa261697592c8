"""A quota of a third party: the tiers that it grants, and the queue that waits for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .load import Load

_MARKS = 64
_LONGEST_BACKOFF_SECONDS = 900
MORE_AFTER_SECONDS = 5.0
"""Where Lambda has refused a call, the dispatcher tries more at once after so long."""


@dataclass(frozen=True)
class Tier:
    """A limit of calls, or of what they weigh, in a time.

    Attributes
    ----------
    name
        For people, such as ``10 per 1 s``.
    limit
        Calls or weight.
    period
        In seconds.
    arrival
        Seconds after its start in which a call is counted for certain. None: it may be counted until its end.
    is_calendar
        Whether it is counted from one period to the next, by the clock, instead of in any window of its length. The
        first period begins with the burst.
    is_weighed
        Whether it counts what messages weigh.
    """

    name: str
    limit: float
    period: float
    arrival: float | None = None
    is_calendar: bool = False
    is_weighed: bool = False

    @property
    def grain(self) -> float:
        """The seconds to which the dispatcher rounds up when a place is free (MARKS in its code)."""
        milliseconds = 1 if self.limit <= _MARKS and self.arrival is None else self.period * 1000 / _MARKS
        return max(1, math.ceil(milliseconds)) / 1000


@dataclass(frozen=True)
class Quota:
    """A queue whose messages are called one by one, as fast as all tiers allow.

    Attributes
    ----------
    name, function
        Of the quota, and the function that it calls.
    load
        The messages that are sent.
    tiers
        All of which hold.
    parallelism
        Calls in flight at once, at most.
    calls_per_second
        That its dispatchers make at most, one for each counter.
    longest_call
        Seconds within which a call has ended for certain.
    max_attempts
        Failures after which a message goes to the dead-letter queue.
    window, batch
        Messages are filed together after so many seconds, or as soon as there are so many.
    weight
        Of one message.
    failing
        The part of messages that fail each time; they come at equal distances among the others.
    is_kept
        Whether calls wait for the tiers. Without, they start as they come, and the provider refuses what is beyond.
    """

    name: str
    function: str
    load: Load
    tiers: tuple[Tier, ...]
    parallelism: int
    calls_per_second: float
    longest_call: float
    max_attempts: int
    window: float = 1.0
    batch: int = 100
    weight: float = 1.0
    failing: float = 0.0
    is_kept: bool = True

    def again(self, failures: int, part: float) -> float:
        """Give after how many seconds a message comes again: 2, 4, 8 … up to 15 minutes, half of it to all of it."""
        return min(_LONGEST_BACKOFF_SECONDS, 2**failures) * (1 + part) / 2

    def seconds_for(self, messages: float) -> float:
        """Give after how long the last of so many messages may be called at the earliest."""
        return max(
            (math.ceil(messages * (self.weight if tier.is_weighed else 1) / tier.limit) - 1) * tier.period
            for tier in self.tiers
        )
