"""MySQL and MariaDB, by PyMySQL."""

from __future__ import annotations

import contextlib
from time import monotonic
from typing import TYPE_CHECKING, Any

from pymysql.connections import Connection
from pymysql.err import OperationalError

from breakwater_runtime._core.line import Line
from breakwater_runtime._core.liveness import readable
from breakwater_runtime._core.options import parameters
from breakwater_runtime._core.resolver import resolved
from breakwater_runtime._core.session import Adapter
from breakwater_runtime._mysql.connection import MySqlConnection
from breakwater_runtime._mysql.errors import trouble_of
from breakwater_runtime._mysql.options import check
from breakwater_runtime._mysql.session import MySqlSession
from breakwater_runtime.environment import host_and_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from breakwater_runtime._core.trouble import Trouble
    from breakwater_runtime.credentials import Login
    from breakwater_runtime.deadline import Deadline
    from breakwater_runtime.environment import Settings

# a whole packet
COM_QUIT = b"\x01\x00\x00\x00\x01"


class MySqlAdapter(Adapter):
    """MySQL and MariaDB by PyMySQL."""

    driver = "PyMySQL"

    def __init__(self, settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> None:
        super().__init__(settings, autocommit=autocommit, options=options)
        check(self.driver, options, settings, self.known_options())

    def known_options(self) -> set[str]:
        """Name what the driver's connect takes."""
        return parameters(Connection.__init__)

    async def open(self, login: Login, deadline: Deadline) -> MySqlSession[Any]:
        session = self.session(login)
        await session.open(login, deadline)
        return session

    def session(self, login: Login) -> MySqlSession[Any]:
        """Make a session that is not open yet."""
        return PyMySqlSession(self, login)

    def trouble(self, error: BaseException) -> Trouble:
        return trouble_of(error)


class PyMySqlSession(MySqlSession[MySqlConnection]):
    """A session by PyMySQL."""

    async def open(self, login: Login, deadline: Deadline) -> None:
        given, deadline = self.connect_options(deadline)
        waits = [given.pop(name, None) for name in ("read_timeout", "write_timeout")]
        longest = min((wait for wait in waits if wait), default=None)
        line = self._line = Line(host_and_port(login.host, login.port), monotonic() + deadline.remaining(), longest)
        try:
            addresses = await resolved(self._adapter.waker, login.host, login.port, deadline)
            await line.connect(addresses, given.pop("bind_address", None))
        except OSError as error:
            line.close()
            raise OperationalError(2003, f"Can't connect to MySQL server on {login.host!r} ({error})") from error
        context = self.tls_context()
        connection = self._connection = MySqlConnection(
            host=login.host,
            port=login.port,
            user=login.user,
            password=login.password.encode(),
            database=login.database,
            ssl=context,
            ssl_disabled=context is None,
            # told with everything else, in one round trip
            autocommit=None,
            defer_connect=True,
            **given,
        )
        line.place = "login"
        connection.connect(line)
        self.exchange = connection._exchange = self.new_exchange(connection.server_version)
        await self.set_up(deadline)

    def lend(self, closed: Callable[[], None] | None = None) -> MySqlConnection:
        handle = super().lend(closed)
        handle.closer = closed
        return handle

    def limit(self, seconds: float | None) -> None:
        deadline = self._deadline if seconds is None else self._deadline.within(seconds)
        self._line.ends_at = monotonic() + deadline.remaining()

    def is_readable(self) -> bool:
        return readable(self._line.fileno())

    def send(self) -> None:
        outbox = self.exchange.outbox
        if outbox:
            self._line.send_as_courtesy(outbox)
            outbox.clear()

    def shut(self) -> None:
        self.end_handle()
        connection, exchange = self._connection, self.exchange
        if connection._sock is not None and not exchange.lost and not exchange.is_busy:
            with contextlib.suppress(OSError):
                self._line.send_as_courtesy(COM_QUIT)
        exchange.lost = True
        connection.cut()
