"""What a dispatcher needs of the process it runs in: clocks, and hands for calls that take place side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Queue
from time import sleep
from typing import TYPE_CHECKING, Protocol, TypeVar

from .clocks import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from .reports import Report

T = TypeVar("T")


class Host(Protocol):
    """A process. The tests have one on virtual time."""

    def reading(self) -> Reading:
        """Read the clocks."""
        ...

    def sleep(self, milliseconds: int) -> None:
        """Do nothing for so long."""
        ...

    def submit(self, work: Callable[[], Report]) -> None:
        """Do something side by side with others."""
        ...

    def result(self, milliseconds: int) -> Report | None:
        """Return what one of the calls came to; None when none has ended within so long."""
        ...

    def close(self) -> None:
        """Wait until all that was submitted has ended."""
        ...


class ThreadHost:
    """The process of a Lambda function, with so many threads."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads)
        self._results: Queue[Report] = Queue()

    def reading(self) -> Reading:
        """Read the clocks."""
        return Reading.now()

    def sleep(self, milliseconds: int) -> None:
        """Do nothing for so long."""
        sleep(milliseconds / 1000)

    def submit(self, work: Callable[[], Report]) -> None:
        """Do something on one of the threads."""
        self._pool.submit(lambda: self._results.put(work()))

    def result(self, milliseconds: int) -> Report | None:
        """Return what one of the calls came to."""
        try:
            return self._results.get(timeout=max(0.0001, milliseconds / 1000))
        except Empty:
            return None

    def close(self) -> None:
        """Wait for the threads."""
        self._pool.shutdown()
