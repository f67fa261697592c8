"""What is to happen when, and how much is not done yet."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Events in the order of their times.

    Attributes
    ----------
    open
        Requests and messages that are neither done nor lost.
    last_closed
        When one last was.
    """

    def __init__(self) -> None:
        self.open = 0
        self.last_closed = 0.0
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()

    def at(self, when: float, happen: Callable[[float], None]) -> None:
        """Let something happen at a time; after what was to happen then already."""
        heapq.heappush(self._events, (when, next(self._order), happen))

    @property
    def next_at(self) -> float:
        """When the next thing happens."""
        return self._events[0][0] if self._events else 0.0

    def close(self, now: float, requests: int = 1) -> None:
        """Note that some are done or lost."""
        self.open -= requests
        self.last_closed = now

    def run(self, until: float, end: float) -> float:
        """Let all happen that comes before ``until``, or before all is done after ``end``; give when that was."""
        now = 0.0
        while self._events and self._events[0][0] <= until:
            now, _, happen = heapq.heappop(self._events)
            happen(now)
            if not self.open and now >= end:
                break
        return until if self.open else now
