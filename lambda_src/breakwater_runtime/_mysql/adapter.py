"""MySQL and MariaDB, by PyMySQL."""

from __future__ import annotations

import contextlib
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Any

from pymysql.connections import DEFAULT_CHARSET
from pymysql.err import OperationalError

from breakwater_runtime._core.line import Line
from breakwater_runtime._core.liveness import readable
from breakwater_runtime._core.resolver import resolved
from breakwater_runtime._core.session import Adapter
from breakwater_runtime._mysql import errors
from breakwater_runtime._mysql.connection import MySqlConnection, raises_from_now_on
from breakwater_runtime._mysql.options import names, refuse, text_or_none
from breakwater_runtime._mysql.session import CLIENT_SESSION_TRACK, MySqlSession
from breakwater_runtime.tls import ssl_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from breakwater_runtime._core.trouble import Trouble
    from breakwater_runtime.credentials import Login
    from breakwater_runtime.deadline import Deadline
    from breakwater_runtime.environment import Settings


class MySqlAdapter(Adapter):
    """MySQL and MariaDB by PyMySQL."""

    def __init__(self, settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> None:
        super().__init__(settings, autocommit=autocommit, options=options)
        refuse(options)

    async def open(self, login: Login, deadline: Deadline) -> PyMySqlSession:
        given = dict(self.options)
        session = PyMySqlSession(
            self,
            names=names(given.get("charset") or DEFAULT_CHARSET, given.get("collation")),
            database=login.database.encode() if login.database else None,
            sql_mode=given.pop("sql_mode", None),
            init_command=text_or_none(given.pop("init_command", None)),
        )
        await session.open(login, deadline, given)
        await session.set_up(deadline)
        return session

    def trouble(self, error: BaseException) -> Trouble:
        return errors.trouble(error)


# a whole packet
COM_QUIT = b"\x01\x00\x00\x00\x01"


class PyMySqlSession(MySqlSession):
    """A session by PyMySQL."""

    _connection: MySqlConnection
    _lent: weakref.ref[MySqlConnection] | None = None

    @property
    def _handle(self) -> MySqlConnection:
        """The block's handle; between blocks, or where nobody holds it any more, the session's own."""
        lent = self._lent
        return (None if lent is None else lent()) or self._connection

    async def open(self, login: Login, deadline: Deadline, given: dict[str, Any]) -> None:
        """Connect and log in."""
        settings = self._adapter.settings
        connect_timeout = given.pop("connect_timeout", None)
        if connect_timeout is not None:
            deadline = deadline.within(connect_timeout)
        waits = [given.pop(name, None) for name in ("read_timeout", "write_timeout")]
        longest = min((wait for wait in waits if wait), default=None)
        line = self._line = Line(f"{login.host}:{login.port}", monotonic() + deadline.remaining(), longest)
        try:
            addresses = await resolved(self._adapter, login.host, login.port, deadline)
            line.connect(addresses, given.pop("bind_address", None))
        except OSError as error:
            line.close()
            raise OperationalError(2003, f"Can't connect to MySQL server on {login.host!r} ({error})") from error
        given["client_flag"] = given.get("client_flag", 0) | CLIENT_SESSION_TRACK
        context = ssl_context(settings.tls_ca) if settings.tls_ca else None
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

    def lend(self, closed: Callable[[], None] | None = None) -> MySqlConnection:
        # SQLAlchemy, which closes, begins and commits by itself
        self.exchange.begin_block(autocommit=self._adapter.autocommit and closed is None)
        handle = self._connection.lend(closed)
        self._lent = weakref.ref(handle)
        return handle

    def end_handle(self) -> None:
        lent, self._lent = self._lent, None
        handle = None if lent is None else lent()
        if handle is None:
            # lost by whoever borrowed it
            self.exchange.lost = self.exchange.lost or lent is not None
        else:
            result = handle._result
            if result is not None and (result.unbuffered_active or result.has_next):
                # what was not read to its end is cut off
                self.exchange.lost = True
                result.unbuffered_active = False
                raises_from_now_on(result)
            self._connection.take_back(handle)

    async def finish_result(self) -> None:
        result = self._handle._result
        if result is not None and result.unbuffered_active:
            result._finish_unbuffered_query()
            raises_from_now_on(result)
        if result is not None:
            while result.has_next:
                self._handle.next_result()
                result = self._handle._result
            self._handle._result = None

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

    async def drain(self) -> None:
        self._connection.drain()

    async def exchange_own(self, command: int, text: bytes) -> tuple[tuple[Any, ...], ...]:
        return self._handle.ask(command, text)

    async def send_commit(self) -> None:
        self._handle.commit()

    def shut(self) -> None:
        self.end_handle()
        connection, exchange = self._connection, self.exchange
        if connection._sock is not None and not exchange.lost and not exchange.is_busy:
            with contextlib.suppress(OSError):
                self._line.send_as_courtesy(COM_QUIT)
        exchange.lost = True
        connection.cut()
