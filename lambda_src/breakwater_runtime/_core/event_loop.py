"""What the core needs of an event loop: to sleep, to wait for a turn, and a lease for `async with`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from breakwater_runtime._core.lease import Connection, Lease
from breakwater_runtime._core.session import Adapter, Waker
from breakwater_runtime.deadline import Deadline

if TYPE_CHECKING:
    from breakwater_runtime._core.keeper import Keeper


class EventLoopAdapter(Adapter):
    """An adapter whose driver suspends."""

    def loop(self) -> object:
        return asyncio.get_running_loop()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def waker(self) -> Waker:
        return _LoopWaker()


class _LoopWaker(Waker):
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        event = self._awaited = asyncio.Event()

        def wake() -> None:
            # the block may have ended in another thread, and the loop may be gone
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

        self.set = wake

    async def wait(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._awaited.wait(), max(0.0, seconds))
        except (asyncio.TimeoutError, TimeoutError):
            return False
        return True


class AsyncLease(Lease[Connection]):
    """A connection, lent for the duration of an `async with` block."""

    __slots__ = ("_task",)

    def __init__(self, keeper: Keeper, context: object | None) -> None:
        super().__init__(keeper, context)
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> Connection:
        raise TypeError("async_database()'s connections are for `async with`")

    async def __aenter__(self) -> Connection:
        self._task = asyncio.current_task()
        self.deadline = Deadline(self.context, self.keeper.settings.function_timeout)
        return await self.keeper.begin(self)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        await self.keeper.end(self, error)

    def is_over(self, asking: Lease[Any] | None = None) -> bool:
        """Tell whether nobody is left who could end this block: its task is done, or its loop is closed."""
        task = self._task
        return super().is_over(asking) or (task is not None and (task.done() or task.get_loop().is_closed()))

    def is_callers_own(self, asking: Lease[Any]) -> bool:
        """Tell whether this block would have to end before the one that asks could begin: tasks take turns."""
        return super().is_callers_own(asking) and (not isinstance(asking, AsyncLease) or asking._task is self._task)
