"""PostgreSQL by psycopg's AsyncConnection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import waiting

from breakwater_runtime._core.event_loop import EventLoopAdapter
from breakwater_runtime._postgresql.adapter import BasePostgreSqlAdapter
from breakwater_runtime._postgresql.handle import AsyncHandle
from breakwater_runtime._postgresql.session import PostgreSqlSession

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from breakwater_runtime._postgresql.handle import Lent

    Result = TypeVar("Result")


class AsyncPostgreSqlAdapter(EventLoopAdapter, BasePostgreSqlAdapter):
    """psycopg's AsyncConnection."""

    async def wait_to_connect(self, generator: Generator[Any, Any, Result], seconds: float) -> Result:
        """Wait, and let the other tasks run."""
        return await waiting.wait_conn_async(generator, interval=0.1, timeout=seconds)

    def session(self, pgconn: Any, where: str, connected_in: float) -> PostgreSqlSession:
        """Make the session around a connection."""
        return LoopSession(self, pgconn, where, connected_in)


class LoopSession(PostgreSqlSession):
    """A session whose handles are psycopg's AsyncConnections; it belongs to one event loop."""

    def __init__(self, adapter: AsyncPostgreSqlAdapter, pgconn: Any, where: str, connected_in: float) -> None:
        super().__init__(adapter, pgconn, where, connected_in)
        self._adapter = adapter
        self._loop = asyncio.get_running_loop()

    def belongs_here(self) -> bool:
        """Tell whether the running loop is the session's."""
        return asyncio.get_running_loop() is self._loop

    async def wait(self, generator: Generator[Any, Any, Result], seconds: float) -> Result:
        """Wait, and let the other tasks run."""
        return await waiting.wait_async(generator, self.pgconn.socket, interval=0.1, timeout=seconds)

    async def wait_to_connect(self, generator: Generator[Any, Any, Result], seconds: float) -> Result:
        """Wait, and let the other tasks run."""
        return await self._adapter.wait_to_connect(generator, seconds)

    def _make_handle(self, closed: Callable[[], None] | None) -> Lent:
        handle = AsyncHandle(self.pgconn)
        handle.lend(self, self._adapter.handle_options, closed)
        return handle
