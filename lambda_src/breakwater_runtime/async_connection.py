"""One connection per execution environment for handlers with an event loop: psycopg's AsyncConnection, or aiomysql."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Protocol

from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS, CHECK_TIMEOUT_SECONDS
from breakwater_runtime.credentials import Credentials
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.retry import Attempts
from breakwater_runtime.sql_database import database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from breakwater_runtime._core.driver import Driver
    from breakwater_runtime.credentials import Login


class AsyncDriver(Protocol):
    """What an asynchronous driver adds to the synchronous one of the same engine."""

    async def connect(self, login: Login, timeout: float) -> Any:
        """Open a connection."""

    def is_alive(self, connection: Any) -> bool:
        """Look at the socket, without a round trip."""

    async def ping(self, connection: Any) -> None:
        """Ask whether the session lives; raise if not."""

    async def end(self, connection: Any, *, failed: bool) -> None:
        """Commit or roll back, and leave no session state behind."""

    def close(self, connection: Any) -> None:
        """Close, whatever state the connection is in."""


def async_database(name: str | None = None, **arguments: Any) -> AsyncDatabase:
    """Describe a SQL database for handlers with an event loop; the arguments are those of `database()`.

    `async with database.connection(context) as connection` yields psycopg's AsyncConnection or aiomysql's Connection.

    A connection belongs to the event loop that opened it: keep one loop per environment
    (`loop.run_until_complete(main(event))`), since `asyncio.run` makes a new one for each invocation, and with it
    another connection.
    """
    return AsyncDatabase(database(name, **arguments)._driver)


def _async_driver(driver: Driver) -> AsyncDriver:
    if driver.settings.engine == "postgresql":
        from breakwater_runtime._postgresql.async_driver import AsyncPostgreSql

        return AsyncPostgreSql(driver)
    from breakwater_runtime._mysql.async_driver import AsyncMySql

    return AsyncMySql(driver)


class AsyncDatabase:
    """One database as one execution environment sees it. Made by `async_database()`.

    Its sessions have no pulse, so nobody ends them before the function's timeout has passed; after a refusal for
    want of connections the own one is given back at the end of a block.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._async = _async_driver(driver)
        self._credentials = Credentials(driver.settings)
        self._connection: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._in_use: asyncio.Lock | None = None
        self._used_at = (0.0, 0.0)
        self._full_until = 0.0

    @asynccontextmanager
    async def connection(self, context: object | None = None) -> AsyncIterator[Any]:
        """Lend the environment's connection for a block: committed when it ends well, else rolled back.

        Tasks of one invocation take turns.

        Raises
        ------
        ConnectionUnavailable
            On entry: no connection until 0.5 s before the deadline.
        """
        deadline = Deadline(context, self._driver.settings.function_timeout)
        async with self._turn():
            connection = await self._living() or await self._open(deadline)
            try:
                yield connection
            except BaseException:
                await self._finish(connection, failed=True)
                raise
            await self._finish(connection, failed=False)

    def _turn(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._loop is not loop or self._in_use is None:
            self.close()
            self._loop, self._in_use = loop, asyncio.Lock()
        return self._in_use

    async def _living(self) -> Any:
        connection = self._connection
        if connection is None:
            return None
        pause = max(monotonic() - self._used_at[0], time() - self._used_at[1])
        try:
            if self._async.is_alive(connection):
                if pause >= CHECK_AFTER_SECONDS:
                    await asyncio.wait_for(self._async.ping(connection), CHECK_TIMEOUT_SECONDS)
                return connection
        except Exception:  # noqa: S110 -- whatever it is, the connection is of no use
            pass
        self.close()
        return None

    async def _open(self, deadline: Deadline) -> Any:
        settings = self._driver.settings
        attempts = Attempts(f"{settings.engine} at {settings.host or settings.secret_arn}", deadline)
        while True:
            login = self._credentials.login(deadline)
            try:
                self._connection = await self._async.connect(login, deadline.remaining())
            except Exception as error:
                pause = (
                    self._credentials.pause_after_refusal(deadline) if self._driver.is_login_refused(error) else None
                )
                if pause is not None:
                    await asyncio.sleep(pause)
                    continue
                if not self._driver.is_retryable(error):
                    raise self._credentials.refusal(error)  # noqa: B904 -- mostly the driver's own
                if self._driver.is_server_full(error):
                    self._full_until = monotonic() + CHECK_AFTER_SECONDS
                await asyncio.sleep(attempts.pause_after(error))
            else:
                self._credentials.accepted()
                return self._connection

    async def _finish(self, connection: Any, *, failed: bool) -> None:
        self._used_at = (monotonic(), time())
        try:
            await self._async.end(connection, failed=failed)
        except BaseException:
            self.close()
            if not failed:
                raise
        if monotonic() < self._full_until:
            self.close()

    def close(self) -> None:
        """Close the connection; the next block opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._async.close(connection)
