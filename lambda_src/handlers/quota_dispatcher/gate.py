"""Lets a few threads at a time work with something large."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock, Semaphore
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE = 32_000
"""Bytes. Smaller messages are too small to matter, even if a hundred of them are read at once."""
LOOK = 5
"""Milliseconds between two looks whether there is room."""
LOOK_IN_TURN = 4
"""So many look each `LOOK`; the more wait, the less often each looks. 100 that each looked so often took a fifth of a
processor: most of what a function of 512 MB has."""


class Gate:
    """Waits by sleeping, as a process on virtual time can, too.

    Parameters
    ----------
    sleep
        Waits for so many milliseconds.
    places
        Threads that may be in here.
    """

    def __init__(self, sleep: Callable[[int], None], places: int = 1) -> None:
        self._sleep = sleep
        self._places = Semaphore(places)
        self._lock = Lock()
        self._waiting = 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Wait for a place."""
        if not self._places.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def alone(self, size: int) -> Iterator[None]:
        """Wait for a place, if it is for so many bytes that this matters."""
        if size < LARGE:
            yield
            return
        with self.entered():
            yield

    def _wait(self) -> None:
        with self._lock:
            self._waiting += 1
        try:
            while not self._places.acquire(blocking=False):
                self._sleep(LOOK * max(1, self._waiting // LOOK_IN_TURN))
        finally:
            with self._lock:
                self._waiting -= 1
