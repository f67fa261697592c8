"""Waiting for something that comes true by itself, and how long something took."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that comes true by itself."""
    ends = monotonic() + seconds
    while not true():
        assert monotonic() < ends, f"not within {seconds} s"
        sleep(0.02)


class Stopwatch:
    """The time since then, without that in which this process's threads stood in line for a processor.

    A promise about seconds is none about a machine that is busy with other tests.
    """

    def __init__(self) -> None:
        self._waited = _waited_for_a_processor()
        self._began = monotonic()

    @property
    def seconds(self) -> float:
        took = monotonic() - self._began
        waited = _waited_for_a_processor()
        return took - sum(seconds - self._waited.get(thread, 0.0) for thread, seconds in waited.items())


def _waited_for_a_processor() -> dict[str, float]:
    """Seconds of each thread (Linux's Documentation/scheduler/sched-stats.rst); nothing on other systems."""
    waited: dict[str, float] = {}
    for thread in Path("/proc/self/task").glob("*"):
        with suppress(OSError):  # it has ended
            waited[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return waited
