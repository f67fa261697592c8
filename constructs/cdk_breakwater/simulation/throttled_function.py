"""A token bucket before a function with a ceiling: what API Gateway lets in, and what Lambda then refuses.

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


def admit(
    arrivals: Iterable[float], *, rate_limit: float, burst_limit: int, concurrency: int, seconds: Callable[[], float]
) -> Admission:
    """Let requests in through a full bucket.

    Parameters
    ----------
    arrivals
        When each comes, in order.
    rate_limit, burst_limit
        Of the bucket.
    concurrency
        How many may run at once.
    seconds
        Returns how long the next one takes.
    """
    tokens, before = float(burst_limit), 0.0
    running: list[float] = []
    asked = admitted = refused = most = 0
    for now in arrivals:
        asked += 1
        tokens, before = min(float(burst_limit), tokens + (now - before) * rate_limit), now
        if tokens < 1 - 1e-9:
            continue
        tokens -= 1
        admitted += 1
        while running and running[0] <= now:
            heapq.heappop(running)
        if len(running) == concurrency:
            refused += 1
            continue
        heapq.heappush(running, now + seconds())
        most = max(most, len(running))
    return Admission(asked, admitted, refused, most)
