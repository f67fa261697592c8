"""Closed-loop callers: each calls again when it was answered, and waits 100 ms after a failure."""

from __future__ import annotations

import asyncio
import collections
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.runtime.execution_environment import Function

PAUSE_AFTER_FAILURE_SECONDS = 0.1


@dataclass
class Burst:
    """What the callers of a burst saw."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)
    failures: list[float] = field(default_factory=list)
    errors: collections.Counter[str] = field(default_factory=collections.Counter)

    @property
    def success_percent(self) -> float:
        calls = len(self.milliseconds) + len(self.failures)
        return 100 * len(self.milliseconds) / calls if calls else 0.0

    @property
    def ok_per_second(self) -> float:
        return len(self.milliseconds) / self.seconds

    def percentile(self, percent: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


async def burst(function: Function, callers: int, seconds: float) -> Burst:
    """Let so many callers call for so long; calls that have begun are waited for and counted."""
    seen = Burst()
    started = time.monotonic()

    async def call() -> None:
        while time.monotonic() < started + seconds:
            begun = time.monotonic()
            error = await function.invoke()
            now = time.monotonic()
            if error is None:
                seen.milliseconds.append((now - begun) * 1000)
                seen.finished.append(now - started)
            else:
                seen.failures.append(now - started)
                seen.errors[error] += 1
                await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)

    await asyncio.gather(*(call() for _ in range(callers)))
    seen.seconds = time.monotonic() - started
    return seen
