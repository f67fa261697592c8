"""`async_database()`: a SQL database for handlers with an event loop, by psycopg's AsyncConnection or aiomysql."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from breakwater_runtime._core.event_loop import AsyncLease
from breakwater_runtime._core.keeper import keeper_for
from breakwater_runtime._core.repetition import Repetition
from breakwater_runtime.sql_database import settings_from

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from breakwater_runtime._core.session import Adapter
    from breakwater_runtime.environment import Settings
    from breakwater_runtime.metrics import Counters

    Result = TypeVar("Result")


def async_database(name: str | None = None, *, autocommit: bool = False, **arguments: Any) -> AsyncDatabase:
    """Describe a SQL database for handlers with an event loop; the arguments are those of `database()`.

    `async with database.connection(context) as connection` yields psycopg's AsyncConnection or aiomysql's Connection.

    A connection belongs to the event loop that opened it: keep one loop per environment
    (`loop.run_until_complete(main(event))`), since `asyncio.run` makes a new one for each invocation, and with it
    another connection.
    """
    settings, options = settings_from(name, **arguments)
    return AsyncDatabase(settings, autocommit=autocommit, options=options)


class AsyncDatabase:
    """One database as one execution environment sees it. Made by `async_database()`."""

    def __init__(self, settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> None:
        self._keeper = keeper_for(_adapter(settings), settings, autocommit=autocommit, options=options)

    @property
    def counters(self) -> Counters:
        """What happened since the last line of metrics."""
        return self._keeper.counters

    def connection(self, context: object | None = None) -> AsyncLease:
        """Lend the environment's connection for a block: committed when it ends well, else rolled back.

        Tasks of one invocation take turns.

        Raises
        ------
        ConnectionUnavailable, OutcomeUnknown, TransactionAborted
            As by `Database.connection`.
        """
        return AsyncLease(self._keeper, context)

    async def run(
        self, work: Callable[[Any], Awaitable[Result]], context: object | None = None, *, read_only: bool = False
    ) -> Result:
        """Await `work(connection)` in a block, and again as `Database.run` does."""
        keeper = self._keeper
        repetition = Repetition(keeper, context, read_only=read_only)
        while True:
            lease = AsyncLease(keeper, context)
            try:
                async with lease as connection:
                    return await work(connection)
            except Exception as error:
                pause = repetition.pause_after(lease, error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    def close(self) -> None:
        """Close the connection; within a block, at its end. The next opens another."""
        self._keeper.close()


def _adapter(settings: Settings) -> type[Adapter]:
    if settings.engine in ("mysql", "mariadb"):
        from breakwater_runtime._mysql.async_adapter import AsyncMySqlAdapter

        return AsyncMySqlAdapter
    if settings.engine == "postgresql":
        from breakwater_runtime._postgresql.async_adapter import AsyncPostgreSqlAdapter

        return AsyncPostgreSqlAdapter
    raise settings.error("engine", settings.engine, "breakwater.async_database speaks mysql, mariadb and postgresql.")
