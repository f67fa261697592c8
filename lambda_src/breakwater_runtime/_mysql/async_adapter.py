"""MySQL and MariaDB, by aiomysql."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiomysql.connection import Connection
from pymysql.connections import DEFAULT_CHARSET
from pymysql.constants import CR
from pymysql.err import OperationalError

from breakwater_runtime._core.event_loop import EventLoopAdapter
from breakwater_runtime._core.line import connected
from breakwater_runtime._core.liveness import readable
from breakwater_runtime._core.options import parameters
from breakwater_runtime._core.resolver import resolved
from breakwater_runtime._mysql.adapter import MySqlAdapter
from breakwater_runtime._mysql.async_connection import AsyncMySqlConnection
from breakwater_runtime._mysql.session import MySqlSession
from breakwater_runtime.deadline import MARGIN_SECONDS
from breakwater_runtime.environment import host_and_port

if TYPE_CHECKING:
    import socket

    from breakwater_runtime.credentials import Login
    from breakwater_runtime.deadline import Deadline


class AsyncMySqlAdapter(EventLoopAdapter, MySqlAdapter):
    """MySQL and MariaDB by aiomysql."""

    driver = "aiomysql"

    def known_options(self) -> set[str]:
        """Name what the driver's connect takes, and what is told without it."""
        return parameters(Connection.__init__) | {"collation"}

    def session(self, login: Login) -> MySqlSession[Any]:
        """Make a session that is not open yet."""
        return AioMySqlSession(self, login)


class AioMySqlSession(MySqlSession[AsyncMySqlConnection]):
    """A session by aiomysql; one timer of the loop ends whatever waits at the block's deadline."""

    _timer: asyncio.TimerHandle | None = None

    async def open(self, login: Login, deadline: Deadline) -> None:
        given, deadline = self.connect_options(deadline)
        # told with everything else; aiomysql doesn't know it
        given.pop("collation", None)
        self._loop = asyncio.get_running_loop()
        context = self.tls_context()
        connection = self._connection = AsyncMySqlConnection(
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
        target = connection.target = host_and_port(login.host, login.port)
        place = "connect"
        try:
            addresses = await resolved(self._adapter.waker, login.host, login.port, deadline)
            one = await connected(addresses, deadline.remaining, _connect)
            place = "TLS and login" if context else "login"
            await asyncio.wait_for(connection.log_in(one), max(0.0, deadline.remaining()))
            connection._exchange = self.exchange = self.new_exchange(connection.server_version)
            place = "setting the session up"
            await asyncio.wait_for(self.set_up(deadline), max(0.0, deadline.remaining()))
        except (OSError, asyncio.TimeoutError) as error:
            connection.cut()
            # asyncio's ConnectionResetError has no text, nor has a time that is over
            said = "no answer in time" if isinstance(error, TimeoutError | asyncio.TimeoutError) else "connection lost"
            reason = str(error) or f"{place} at {target}: {said}"
            raise OperationalError(2003, f"Can't connect to MySQL server on {login.host!r} ({reason})") from error
        except BaseException:
            connection.cut()
            raise

    def end_handle(self) -> None:
        self._stop_timer()
        super().end_handle()

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
            exchange = self.exchange
            exchange.lost = True
            # what the block's end says, where the answer came in the same turn of the loop
            reason = f"{self._connection.target}: the invocation ends in {MARGIN_SECONDS} s"
            exchange.error = OperationalError(CR.CR_SERVER_LOST, f"Lost connection to MySQL server ({reason})")
            writer.transport.abort()

    def is_readable(self) -> bool:
        reader, writer = self._connection._reader, self._connection._writer
        if reader is None or writer is None or reader.at_eof() or writer.transport.is_closing():
            return True
        arrived: bytearray = reader._buffer  # pyrefly: ignore
        return bool(arrived) or readable(writer.transport.get_extra_info("socket").fileno())

    def send(self) -> None:
        outbox, writer = self.exchange.outbox, self._connection._writer
        if outbox and writer is not None:
            writer.write(bytes(outbox))
            outbox.clear()

    def shut(self) -> None:
        self.end_handle()
        self.exchange.lost = True
        self._connection.cut()


async def _connect(one: socket.socket, address: Any, seconds: float) -> None:
    one.setblocking(False)
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(one, address), max(0.0, seconds))
    except asyncio.TimeoutError:  # Python 3.10's is no TimeoutError
        raise TimeoutError from None
