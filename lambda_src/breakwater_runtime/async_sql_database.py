"""`async_database()`: a SQL database for handlers with an event loop, by psycopg's AsyncConnection or aiomysql."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from breakwater_runtime._core.event_loop import AsyncLease
from breakwater_runtime._core.lease import Connection
from breakwater_runtime._core.repetition import Repetition
from breakwater_runtime.sql_database import Described

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiomysql
    import psycopg

    from breakwater_runtime._core.session import Adapter
    from breakwater_runtime.environment import Settings

    Result = TypeVar("Result")


@overload
def async_database(
    name: str | None = None, *, engine: Literal["postgresql"], autocommit: bool = False, **arguments: Any
) -> AsyncDatabase[psycopg.AsyncConnection[Any]]: ...
@overload
def async_database(
    name: str | None = None, *, engine: Literal["mysql", "mariadb"], autocommit: bool = False, **arguments: Any
) -> AsyncDatabase[aiomysql.Connection]: ...
@overload
def async_database(name: str | None = None, *, autocommit: bool = False, **arguments: Any) -> AsyncDatabase[Any]: ...
def async_database(name: str | None = None, *, autocommit: bool = False, **arguments: Any) -> AsyncDatabase[Any]:
    """Describe a SQL database for handlers with an event loop; the arguments are those of `database()`.

    `async with database.connection(context) as connection` yields psycopg's AsyncConnection or aiomysql's Connection.

    A connection belongs to the event loop that opened it: keep one loop per environment
    (`loop.run_until_complete(main(event))`), since `asyncio.run` makes a new one for each invocation, and with it
    another connection.
    """
    return AsyncDatabase(name, arguments, autocommit=autocommit)


class AsyncDatabase(Described, Generic[Connection]):
    """One database as one execution environment sees it. Made by `async_database()`."""

    def _adapter(self, settings: Settings) -> type[Adapter]:
        if settings.engine == "postgresql":
            from breakwater_runtime._postgresql.async_adapter import AsyncPostgreSqlAdapter

            return AsyncPostgreSqlAdapter
        from breakwater_runtime._mysql.async_adapter import AsyncMySqlAdapter

        return AsyncMySqlAdapter

    def connection(self, context: object | None = None) -> AsyncLease[Connection]:
        """Lend the environment's connection for a block: committed when it ends well, else rolled back.

        Tasks of one invocation take turns.

        Raises
        ------
        ConnectionUnavailable, OutcomeUnknown, TransactionAborted
            As by `Database.connection`.
        """
        return AsyncLease(self._keeper, context)

    async def run(
        self, work: Callable[[Connection], Awaitable[Result]], context: object | None = None, *, read_only: bool = False
    ) -> Result:
        """Await `work(connection)` in a block, and again as `Database.run` does."""
        keeper = self._keeper
        repetition = Repetition(keeper, context, read_only=read_only)
        while True:
            lease: AsyncLease[Connection] = AsyncLease(keeper, context)
            try:
                async with lease as connection:
                    await repetition.begin(lease)
                    return await work(connection)
            except Exception as error:
                pause = repetition.pause_after(lease, error)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
