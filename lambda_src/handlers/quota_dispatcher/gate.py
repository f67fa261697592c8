"""Lets a few threads at a time work with something large."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Semaphore
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE = 32_000
"""Bytes. Smaller messages are too small to matter, even if a hundred of them are read at once."""
LOOK = 5
"""Milliseconds between two looks whether there is room."""


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

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Wait for a place."""
        while not self._places.acquire(blocking=False):
            self._sleep(LOOK)
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
