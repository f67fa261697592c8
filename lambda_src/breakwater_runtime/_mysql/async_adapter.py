"""MySQL and MariaDB, by aiomysql."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from pymysql.connections import DEFAULT_CHARSET
from pymysql.err import OperationalError

from breakwater_runtime._core.event_loop import EventLoopAdapter
from breakwater_runtime._core.line import prepared
from breakwater_runtime._core.liveness import readable
from breakwater_runtime._core.resolver import resolved
from breakwater_runtime._mysql import errors
from breakwater_runtime._mysql.async_connection import AsyncMySqlConnection, raises_from_now_on
from breakwater_runtime._mysql.options import names, refuse, text_or_none
from breakwater_runtime._mysql.session import CLIENT_SESSION_TRACK, MySqlSession
from breakwater_runtime.tls import ssl_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from breakwater_runtime._core.resolver import Addresses
    from breakwater_runtime._core.trouble import Trouble
    from breakwater_runtime.credentials import Login
    from breakwater_runtime.deadline import Deadline
    from breakwater_runtime.environment import Settings


class AsyncMySqlAdapter(EventLoopAdapter):
    """MySQL and MariaDB by aiomysql."""

    def __init__(self, settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> None:
        super().__init__(settings, autocommit=autocommit, options=options)
        refuse(options)

    async def open(self, login: Login, deadline: Deadline) -> AioMySqlSession:
        given = dict(self.options)
        session = AioMySqlSession(
            self,
            names=names(given.get("charset") or DEFAULT_CHARSET, given.pop("collation", None)),
            database=login.database.encode() if login.database else None,
            sql_mode=given.pop("sql_mode", None),
            init_command=text_or_none(given.pop("init_command", None)),
        )
        await session.open(login, deadline, given)
        return session

    def trouble(self, error: BaseException) -> Trouble:
        return errors.trouble(error)


class AioMySqlSession(MySqlSession):
    """A session by aiomysql; one timer of the loop ends whatever waits at the block's deadline."""

    _connection: AsyncMySqlConnection
    _handle: AsyncMySqlConnection
    _timer: asyncio.TimerHandle | None = None

    async def open(self, login: Login, deadline: Deadline, given: dict[str, Any]) -> None:
        """Connect, log in, and tell the session what it has to know."""
        connect_timeout = given.pop("connect_timeout", None)
        if connect_timeout is not None:
            deadline = deadline.within(connect_timeout)
        self._loop = asyncio.get_running_loop()
        tls_ca = self._adapter.settings.tls_ca
        context = ssl_context(tls_ca) if tls_ca else None
        given["client_flag"] = given.get("client_flag", 0) | CLIENT_SESSION_TRACK
        connection = self._connection = self._handle = AsyncMySqlConnection(
            host=login.host,
            port=login.port,
            user=login.user,
            # aiomysql makes it latin1; servers compare what mysql(1) sends
            password=login.password.encode().decode("latin1"),
            db=login.database,
            ssl=context,
            autocommit=None,
            **{"charset": DEFAULT_CHARSET, **given},
        )
        target = connection.target = f"{login.host}:{login.port}"
        place = "connect"
        try:
            addresses = await resolved(self._adapter, login.host, login.port, deadline)
            one = await _connected(addresses, deadline)
            place = "TLS and login" if context else "login"
            await asyncio.wait_for(connection.log_in(one), max(0.0, deadline.remaining()))
            connection._exchange = self.exchange = self.new_exchange(connection.server_version)
            place = "setting the session up"
            await asyncio.wait_for(self.set_up(deadline), max(0.0, deadline.remaining()))
        except (OSError, asyncio.TimeoutError) as error:
            connection.cut()
            reason = error
            if isinstance(error, (TimeoutError, asyncio.TimeoutError)) and not str(error):
                reason = f"{place} at {target}: no answer in time"
            raise OperationalError(2003, f"Can't connect to MySQL server on {login.host!r} ({reason})") from error
        except BaseException:
            connection.cut()
            raise

    def lend(self, closed: Callable[[], None] | None = None) -> AsyncMySqlConnection:  # noqa: ARG002
        self.exchange.begin_block(autocommit=self._adapter.autocommit)
        self._handle = self._connection.lend()
        return self._handle

    def belongs_here(self) -> bool:
        return self._loop is asyncio.get_running_loop()

    def end_handle(self) -> None:
        self._stop_timer()
        handle = self._handle
        if handle is not self._connection:
            result = handle._result
            if result is not None and (result.unbuffered_active or result.has_next):
                # what was not read to its end is cut off
                self.exchange.lost = True
                result.unbuffered_active = False
                raises_from_now_on(result)
            self._connection.take_back(handle)
            self._handle = self._connection

    async def finish_result(self) -> None:
        result = self._handle._result
        if result is not None and result.unbuffered_active:
            await result._finish_unbuffered_query()
            raises_from_now_on(result)
        if result is not None:
            while result.has_next:
                await self._handle.next_result()
                result = self._handle._result
            self._handle._result = None

    def limit(self, seconds: float | None) -> None:
        self._stop_timer()
        left = self._deadline.remaining()
        if seconds is not None:
            left = min(left, seconds)
        self._timer = self._loop.call_later(max(0.0, left), self._cut_off)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _cut_off(self) -> None:
        writer = self._handle._writer
        if writer is not None:
            self.exchange.lost = True
            writer.transport.abort()

    def is_readable(self) -> bool:
        reader, writer = self._connection._reader, self._connection._writer
        if reader is None or writer is None or reader.at_eof():
            return True
        arrived: bytearray = reader._buffer  # pyrefly: ignore
        return bool(arrived) or readable(writer.transport.get_extra_info("socket").fileno())

    def send(self) -> None:
        outbox, writer = self.exchange.outbox, self._connection._writer
        if outbox and writer is not None:
            writer.write(bytes(outbox))
            outbox.clear()

    async def drain(self) -> None:
        await self._connection.drain()

    async def exchange_own(self, command: int, text: bytes) -> tuple[tuple[Any, ...], ...]:
        return await self._handle.ask(command, text)

    async def send_commit(self) -> None:
        await self._handle.commit()

    def shut(self) -> None:
        self.end_handle()
        self.exchange.lost = True
        self._connection.cut()


async def _connected(addresses: Addresses, deadline: Deadline) -> socket.socket:
    """Connect to the first of a name's addresses that answers; each gets its part of the time."""
    loop = asyncio.get_running_loop()
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        one = prepared(socket.socket(family, kind, protocol))
        one.setblocking(False)
        try:
            part = deadline.remaining() / (len(addresses) - index)
            await asyncio.wait_for(loop.sock_connect(one, address), max(0.0, part))
        except BaseException as error:
            one.close()
            if isinstance(error, (OSError, asyncio.TimeoutError)) and index + 1 < len(addresses):
                continue
            raise
        return one
    raise OSError("no address answered")
