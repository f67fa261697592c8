"""PostgreSQL by psycopg's AsyncConnection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.pq import TransactionStatus

from breakwater_runtime._postgresql.driver import ABORTED, RESET
from breakwater_runtime._postgresql.exchange import is_idle
from breakwater_runtime.errors import TransactionAborted

if TYPE_CHECKING:
    from breakwater_runtime._core.driver import Driver
    from breakwater_runtime._postgresql.driver import PostgreSql
    from breakwater_runtime.credentials import Login


class AsyncPostgreSql:
    """The asynchronous half of `PostgreSql`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = cast("PostgreSql", driver)

    async def connect(self, login: Login, timeout: float) -> psycopg.AsyncConnection[Any]:
        arguments = self._driver.arguments(login, timeout, pulse=False)
        return await psycopg.AsyncConnection.connect(**arguments)

    def is_alive(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        return is_idle(connection.pgconn)

    async def ping(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("ROLLBACK")

    async def end(self, connection: psycopg.AsyncConnection[Any], *, failed: bool) -> None:
        status = connection.pgconn.transaction_status
        aborted = status == TransactionStatus.INERROR
        verb = "COMMIT" if status == TransactionStatus.INTRANS and not failed else "ROLLBACK"
        # in one message: psycopg sends no BEGIN within a transaction, and ROLLBACK ends the one it may have begun
        await connection.execute(f"{verb}; {RESET.decode()}".encode())
        if connection.autocommit != self._driver.autocommit:
            await connection.set_autocommit(self._driver.autocommit)
        if aborted and not failed:
            raise TransactionAborted(ABORTED)

    def close(self, connection: psycopg.AsyncConnection[Any]) -> None:
        # below the coroutine, which only does the same
        with contextlib.suppress(psycopg.Error, asyncio.CancelledError):
            connection.pgconn.finish()
