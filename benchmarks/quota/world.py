"""A provider, a backlog and callers on a simulated clock (ms): the same trace for every strategy."""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .strategies import Strategy

CALLERS = 30
RECEIVES = 5
"""The maxReceiveCount of a queue whose consumer meets the quota by trying."""
VISIBILITY = 30_000
TAKEOVER = 9_000
"""A dispatcher that died is followed by the next one after this long."""


@dataclass(frozen=True)
class Scenario:
    """A backlog that is there at once, a provider's tiers (limit, ms), and when the dispatcher dies."""

    name: str
    messages: int
    tiers: tuple[tuple[int, int], ...]
    crashes: tuple[int, ...] = ()

    def shortest(self) -> int:
        """Return when the last call starts if calls take no time (ms): greedily, exactly."""
        starts: list[int] = []
        for number in range(self.messages):
            at = starts[-1] if starts else 0
            for limit, period in self.tiers:
                if number >= limit:
                    at = max(at, starts[number - limit] + period)
            starts.append(at)
        return starts[-1]


@dataclass
class Result:
    """What the provider and the backlog saw."""

    accepted: int = 0
    refused: int = 0
    last: float = 0
    lost: int = 0
    untried: int = 0
    repeated: int = 0
    busy_seconds: float = 0
    done: set[int] = field(default_factory=set)


class Call(NamedTuple):
    """A call on its way, by the dispatcher of a generation."""

    message: int
    receives: int
    slot: Any
    generation: int


class World:
    """One run."""

    def __init__(self, scenario: Scenario, strategy: Strategy, seed: int = 7) -> None:
        self.scenario = scenario
        self.strategy = strategy
        self.result = Result()
        self._random = random.Random(seed)  # noqa: S311 -- a trace, no secret
        self._windows = [deque[float]() for _ in scenario.tiers]
        self._waiting = deque((number, 0) for number in range(scenario.messages))
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._busy = 0
        self._generation = 0
        self._pending = 0

    def at(self, when: float, what: Callable[..., None], *arguments: Any) -> None:
        self._order += 1
        heapq.heappush(self._events, (when, self._order, what, arguments))

    def run(self) -> Result:
        self.at(0, self._poll, 0)
        for crash in self.scenario.crashes:
            self.at(crash, self._crash)
        now = 0.0
        result = self.result
        while self._events and len(result.done) + result.lost + result.untried < self.scenario.messages:
            now, _, what, arguments = heapq.heappop(self._events)
            what(now, *arguments)
        return result

    def _poll(self, now: float, generation: int) -> None:
        if generation != self._generation:
            return
        free = min(CALLERS - self._busy - self._pending, len(self._waiting) - self._pending)
        starts, pause = self.strategy.poll(now, max(0, free))
        for start, slot in starts:
            self._pending += 1
            self.at(max(now, start), self._start, slot, generation)
        self.at(now + max(1, pause), self._poll, generation)
        if pause <= 20_000:  # a dispatcher naps through a longer rest
            self.result.busy_seconds += max(1, pause) / 1000

    def _start(self, now: float, slot: Any, generation: int) -> None:
        if generation != self._generation:
            return
        self._pending -= 1
        if not self._waiting:
            self.strategy.unused(slot)
            return
        message, receives = self._waiting.popleft()
        self._busy += 1
        # 20 to 120 ms, and one call in 50 takes a second longer: a cold start, a slow answer.
        duration = self._random.uniform(20, 120) + (1_000 if self._random.random() < 0.02 else 0)
        counted = now + self._random.uniform(0, duration)
        self.at(counted, self._count, now + duration, Call(message, receives, slot, generation))

    def _count(self, now: float, end: float, call: Call) -> None:
        for window, (_, period) in zip(self._windows, self.scenario.tiers, strict=True):
            while window and window[0] <= now - period:
                window.popleft()
        within = all(len(w) < limit for w, (limit, _) in zip(self._windows, self.scenario.tiers, strict=True))
        if within:
            for window in self._windows:
                window.append(now)
            self.result.accepted += 1
            self.result.last = now
            self.result.repeated += call.message in self.result.done
        else:
            self.result.refused += 1
        self.at(end, self._end, call, within)

    def _end(self, now: float, call: Call, within: bool) -> None:
        message, receives = call.message, call.receives
        if call.generation != self._generation:  # its dispatcher is gone: nobody saw the answer, the message comes back
            if within:
                self.result.done.add(message)
                return
            self._back(now, message, receives)
            return
        self._busy -= 1
        self.strategy.ended(call.slot, now)
        if within:
            self.result.done.add(message)
            return
        verdict = self.strategy.refused(now, receives + 1)
        if verdict is None:
            self.result.lost += 1
        elif verdict < 0:
            self.result.untried += 1
        else:
            self.at(now + verdict, self._back, message, receives + 1)

    def _back(self, now: float, message: int, receives: int) -> None:
        del now
        if message not in self.result.done:
            self._waiting.append((message, receives))

    def _crash(self, now: float) -> None:
        self._generation += 1
        self._busy = self._pending = 0
        self.strategy.crash(now)
        self.at(now + TAKEOVER, self._poll, self._generation)
