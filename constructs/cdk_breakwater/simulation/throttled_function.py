"""Token buckets before a function with a ceiling: what API Gateway lets in, and what Lambda then refuses.

Sources: API Gateway Developer Guide, "Throttle requests to your REST APIs for better throughput in API Gateway" (a
token bucket of the burst's size that fills at the rate); AWS Lambda Developer Guide, "Understanding Lambda function
scaling" (an invocation beyond the reserved concurrency is refused at once).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True)
class Admission:
    """What became of the requests.

    Attributes
    ----------
    asked, admitted, refused
        Requests in all, those that the bucket let in, and those of them that found no room.
    most_at_once
        The most that ran at the same time.
    """

    asked: int
    admitted: int
    refused: int
    most_at_once: int

    @property
    def refused_part(self) -> float:
        """The part of what was let in that found no room."""
        return self.refused / self.admitted if self.admitted else 0.0


@dataclass(frozen=True)
class Route:
    """What the requests of one route meet: a bucket of their own, before the ceiling of all.

    Attributes
    ----------
    rate_limit, burst_limit
        Of the bucket, which is full at the start.
    seconds
        Returns how long the next one takes.
    """

    rate_limit: float
    burst_limit: int
    seconds: Callable[[], float]


def admit(arrivals: Iterable[tuple[float, Route]], *, concurrency: int) -> Admission:
    """Let requests in.

    Parameters
    ----------
    arrivals
        When each comes, in order, and by which route.
    concurrency
        How many may run at once.
    """
    buckets: dict[int, tuple[float, float]] = {}
    running: list[float] = []
    asked = admitted = refused = most = 0
    for now, route in arrivals:
        asked += 1
        tokens, before = buckets.get(id(route), (float(route.burst_limit), 0.0))
        tokens = min(float(route.burst_limit), tokens + (now - before) * route.rate_limit)
        is_let_in = tokens >= 1 - 1e-9
        buckets[id(route)] = tokens - is_let_in, now
        if not is_let_in:
            continue
        admitted += 1
        while running and running[0] <= now:
            heapq.heappop(running)
        if len(running) == concurrency:
            refused += 1
            continue
        heapq.heappush(running, now + route.seconds())
        most = max(most, len(running))
    return Admission(asked, admitted, refused, most)
