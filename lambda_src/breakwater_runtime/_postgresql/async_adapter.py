"""PostgreSQL by psycopg's AsyncConnection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import waiting

from breakwater_runtime._core.event_loop import EventLoopAdapter
from breakwater_runtime._postgresql.adapter import PostgreSqlAdapter
from breakwater_runtime._postgresql.handle import INTERVAL_SECONDS, AsyncHandle

if TYPE_CHECKING:
    from collections.abc import Generator

    Result = TypeVar("Result")


class AsyncPostgreSqlAdapter(EventLoopAdapter, PostgreSqlAdapter):
    """psycopg's AsyncConnection."""

    handle_class = AsyncHandle

    async def wait(self, generator: Generator[Any, Any, Result], socket: int, seconds: float) -> Result:
        return await waiting.wait_async(generator, socket, interval=INTERVAL_SECONDS, timeout=seconds)

    async def wait_to_connect(self, generator: Generator[Any, Any, Result], seconds: float) -> Result:
        return await waiting.wait_conn_async(generator, interval=INTERVAL_SECONDS, timeout=seconds)
