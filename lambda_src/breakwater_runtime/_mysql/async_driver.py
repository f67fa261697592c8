"""MySQL and MariaDB by aiomysql."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

import aiomysql
from pymysql.constants import CLIENT, SERVER_STATUS
from pymysql.err import OperationalError

from breakwater_runtime._core.driver import CONNECT_TIMEOUT_SECONDS
from breakwater_runtime._core.liveness import readable
from breakwater_runtime._mysql.connection import COM_RESET_CONNECTION
from breakwater_runtime.tls import ssl_context

if TYPE_CHECKING:
    from breakwater_runtime._core.driver import Driver
    from breakwater_runtime._mysql.driver import MySql
    from breakwater_runtime.credentials import Login


class _Connection(aiomysql.Connection):
    """aiomysql's connection, which by itself goes on in plain text when a server offers no TLS."""

    used = False

    async def _request_authentication(self) -> None:
        if self._ssl_context and not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(2026, "SSL is required but the server doesn't support it")
        await super()._request_authentication()

    async def _execute_command(self, command: int, sql: bytes | str) -> None:
        self.used = True
        await super()._execute_command(command, sql)

    async def reset_session(self) -> None:
        await self._execute_command(COM_RESET_CONNECTION, b"")
        await self._read_ok_packet()
        if self.db:
            await self.select_db(self.db)
        await self.query(f"SET NAMES {self.charset}")
        if self.init_command:
            await self.query(self.init_command)
        self.used = False

    @property
    def in_transaction(self) -> bool:
        return bool(self.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)


class AsyncMySql:
    """The asynchronous half of `MySql`; each block that sent anything ends with a reset of the session."""

    def __init__(self, driver: Driver) -> None:
        self._driver = cast("MySql", driver)

    async def connect(self, login: Login, timeout: float) -> _Connection:
        tls_ca = self._driver.settings.tls_ca
        arguments: dict[str, Any] = {
            "host": login.host,
            "port": login.port,
            "user": login.user,
            "password": login.password,
            "db": login.database,
            "charset": "utf8mb4",
            "connect_timeout": max(0.1, min(timeout, CONNECT_TIMEOUT_SECONDS)),
            "ssl": ssl_context(tls_ca) if tls_ca else None,
            "autocommit": None,
            "init_command": self._driver.session_statement(pulse=False),
            **self._driver.options,
        }
        connection = _Connection(**arguments)
        await connection._connect()
        return connection

    def is_alive(self, connection: _Connection) -> bool:
        reader, writer = connection._reader, connection._writer
        if reader is None or writer is None or reader.at_eof():
            return False
        return not readable(writer.transport.get_extra_info("socket").fileno())

    async def ping(self, connection: _Connection) -> None:
        await connection.ping(reconnect=False)

    async def end(self, connection: _Connection, *, failed: bool) -> None:
        if connection.in_transaction:
            await (connection.rollback() if failed else connection.commit())
        if connection.used:
            await connection.reset_session()

    def close(self, connection: _Connection) -> None:
        with contextlib.suppress(Exception):
            connection.close()
