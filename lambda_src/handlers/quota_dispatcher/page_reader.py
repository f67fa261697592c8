"""Reads pages for calls, on any thread, without taking more memory than there is."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from .gate import Gate
from .pages import MOST_BYTES, forget_oldest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .pages import Page, Pages

AT_ONCE = 4
"""A page of 1 MB takes up to 10 MB while it is read, and each of 100 calls may need another one. With 2 at once, a
quota of 500 keys made 165 calls a second, and with 4 it made 230 (in the simulated account)."""
_MOST = 300


class TooLateError(Exception):
    """A page isn't read any more, since what it was for is over."""


class PageReader:
    """Reads a page, or remembers it.

    Parameters
    ----------
    pages
        Of the table.
    sleep
        Waits for so many milliseconds.
    """

    def __init__(self, pages: Pages, sleep: Callable[[int], None]) -> None:
        self._source = pages
        self._gate = Gate(sleep, AT_ONCE)
        self._lock = Lock()
        self._kept: dict[tuple[int, int], Page] = {}

    def page(self, key: tuple[int, int], is_late: Callable[[], bool] | None = None) -> Page | None:
        """Return a page; None when it isn't there.

        Raises
        ------
        TooLateError
            When it had to be read, and its turn to be read came late.
        """
        if found := self._remembered(key):
            return found
        with self._gate.entered():
            if found := self._remembered(key):
                return found
            if is_late and is_late():
                raise TooLateError
            return self._read(key)

    def _remembered(self, key: tuple[int, int]) -> Page | None:
        with self._lock:
            return self._kept.get(key)

    def _read(self, key: tuple[int, int]) -> Page | None:
        found = self._source.get(key)
        if found:
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > _MOST:
                    del self._kept[next(iter(self._kept))]
                forget_oldest(self._kept, MOST_BYTES)
        return found
