"""The lock of a psycopg connection, which a COPY, a stream() or notifies() holds until it ends, within the deadline."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

_OWN = (
    "This connection is within a COPY, a stream() or notifies(), which would have to end first: "
    "psycopg sends nothing else meanwhile, and would wait for ever."
)
_LATE = "another thread or task used the connection until the invocation's deadline"


class BoundedLock:
    """What psycopg takes around each exchange of a Connection.

    Parameters
    ----------
    seconds_left
        Tells how long it may be waited for.
    """

    def __init__(self, seconds_left: Callable[[float | None], float]) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._seconds_left = seconds_left

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            if self._owner == threading.get_ident():
                raise psycopg.ProgrammingError(_OWN)
            if not self._lock.acquire(timeout=self._seconds_left(None)):
                raise psycopg.OperationalError(_LATE)
        self._owner = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = 0
        self._lock.release()


class AsyncBoundedLock:
    """The same of an AsyncConnection."""

    def __init__(self, seconds_left: Callable[[float | None], float]) -> None:
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[object] | None = None
        self._seconds_left = seconds_left

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if self._lock.locked() and self._owner is task:
            raise psycopg.ProgrammingError(_OWN)
        if self._lock.locked():
            try:
                await asyncio.wait_for(self._lock.acquire(), self._seconds_left(None))
            except asyncio.TimeoutError:
                raise psycopg.OperationalError(_LATE) from None
        else:
            await self._lock.acquire()
        self._owner = task

    async def __aexit__(self, *_: object) -> None:
        self._owner = None
        self._lock.release()
