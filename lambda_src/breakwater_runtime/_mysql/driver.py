"""MySQL and MariaDB, by PyMySQL."""

from __future__ import annotations

import contextlib
import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Any

from pymysql.err import Error, OperationalError

from breakwater_runtime._core.driver import CONNECT_TIMEOUT_SECONDS, Driver
from breakwater_runtime._core.liveness import CHECK_TIMEOUT_SECONDS, TCP_USER_TIMEOUT_SECONDS, readable
from breakwater_runtime._mysql import hunting
from breakwater_runtime._mysql.connection import CLIENT_SESSION_TRACK, PulsedConnection
from breakwater_runtime.tls import ssl_context

if TYPE_CHECKING:
    from breakwater_runtime.credentials import Login

_TOO_MANY_CONNECTIONS = {
    1040,  # ER_CON_COUNT_ERROR
    1203,  # ER_TOO_MANY_USER_CONNECTIONS
    1226,  # ER_USER_LIMIT_REACHED: max_user_connections of the account
}
_RETRYABLE = _TOO_MANY_CONNECTIONS | {
    1053,  # ER_SERVER_SHUTDOWN
    1152,  # ER_ABORTING_CONNECTION
    1158, 1159, 1160, 1161,  # ER_NET_*: read and write errors and interruptions
    2002, 2003,  # CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR: refused, unreachable, unknown host, timeout
    2006, 2013,  # CR_SERVER_GONE_ERROR, CR_SERVER_LOST
}  # fmt: skip
# The session is gone, or its transaction: in either case the server has rolled it back.
_ROLLED_BACK = {
    0,  # PyMySQL's InterfaceError on a connection that is closed
    1053,
    1213,  # ER_LOCK_DEADLOCK
    1927,  # MariaDB's ER_CONNECTION_KILLED
    2006,
    2013,
    4031,  # MySQL's ER_CLIENT_INTERACTION_TIMEOUT
}
_ACCESS_DENIED = {1045, 1698}


class MySql(Driver):
    """MySQL and MariaDB.

    Needs MySQL 5.7 or MariaDB 10.2 for `session_track_state_change` and COM_RESET_CONNECTION.
    """

    def connect(self, login: Login, timeout: float, *, pulse: bool = True) -> PulsedConnection:
        seconds = max(0.1, min(timeout, CONNECT_TIMEOUT_SECONDS))
        arguments: dict[str, Any] = {
            "host": login.host,
            "port": login.port,
            "user": login.user,
            "password": login.password,
            "database": login.database,
            "connect_timeout": seconds,
            "read_timeout": seconds,
            "write_timeout": seconds,
            "ssl": ssl_context(self.settings.tls_ca) if self.settings.tls_ca else None,
            "ssl_disabled": self.settings.tls_ca is None,
            "client_flag": CLIENT_SESSION_TRACK,
            # set by the one statement below, so that PyMySQL needs none of its own
            "autocommit": None,
            "init_command": self.session_statement(pulse=pulse),
            **self.options,
        }
        arguments["client_flag"] |= CLIENT_SESSION_TRACK
        connection = PulsedConnection(**arguments)
        connection.changed = connection.touched = False
        sock = connection.socket
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_SECONDS * 1000)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, TCP_USER_TIMEOUT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, TCP_USER_TIMEOUT_SECONDS)
        return connection

    def session_statement(self, *, pulse: bool) -> str | None:
        """Return the one statement that a new session begins with, None behind a proxy."""
        if self.settings.proxy:
            return None
        mark = f", @breakwater={hunting.MARK}" if pulse else ""
        return (
            f"SET SESSION autocommit={int(self.autocommit)}, SESSION session_track_state_change=1, "
            f"SESSION wait_timeout={self.idle_session_seconds(pulse=pulse)}{mark}"
        )

    def begin_invocation(self, connection: PulsedConnection, remaining: float) -> None:
        connection.limit_waiting(remaining)
        if self.settings.proxy and not self.autocommit:
            # SET AUTOCOMMIT would pin the proxy's session, a transaction is where it expects to share it
            connection.begin()

    def is_alive(self, connection: PulsedConnection) -> bool:
        sock = connection.socket
        return sock is not None and not readable(sock.fileno())

    def answers(self, connection: PulsedConnection) -> bool:
        connection.limit_waiting(CHECK_TIMEOUT_SECONDS)
        try:
            if self.settings.proxy:
                connection.ping(reconnect=False)
                return True
            return hunting.is_spared(connection)
        except (Error, OSError):
            return False

    def pulse(self, connection: PulsedConnection, idle_seconds: float) -> None:
        if connection.busy.acquire(blocking=False):
            try:
                if (
                    connection.open
                    and not connection.is_streaming
                    and monotonic() - connection.last_used >= idle_seconds
                ):
                    connection.ping(reconnect=False)
            except (Error, OSError):
                # the block's next statement will say so
                pass
            finally:
                connection.busy.release()

    def commit(self, connection: PulsedConnection) -> None:
        if connection.needs_end or self.settings.proxy:
            connection.commit()
        self._clean(connection)

    def rollback(self, connection: PulsedConnection) -> None:
        if connection.needs_end or self.settings.proxy:
            connection.rollback()
        self._clean(connection)

    def _clean(self, connection: PulsedConnection) -> None:
        connection.cursorclass = connection.opened_with_cursorclass
        if connection.changed:
            if self.settings.proxy:
                # a session with state is pinned; the proxy's next one isn't
                self.close(connection)
            else:
                connection.reset_session()

    def connections_on_server(self, connection: PulsedConnection) -> tuple[int, int]:
        return hunting.connections_on_server(connection, self.settings.max_connections)

    def end_zombies(self, connection: PulsedConnection, idle_seconds: int) -> int:
        return hunting.end(connection, idle_seconds)

    def close(self, connection: PulsedConnection) -> None:
        with contextlib.suppress(Error, OSError):
            connection.limit_waiting(CHECK_TIMEOUT_SECONDS)
            connection.close()

    def is_login_refused(self, error: Exception) -> bool:
        return _code(error) in _ACCESS_DENIED

    def is_server_full(self, error: Exception) -> bool:
        return _code(error) in _TOO_MANY_CONNECTIONS

    def is_retryable(self, error: Exception) -> bool:
        cause = getattr(error, "original_exception", None)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return False
        return isinstance(error, OperationalError) and _code(error) in _RETRYABLE

    def is_rolled_back(self, error: BaseException) -> bool:
        return isinstance(error, Error) and _code(error) in _ROLLED_BACK


def _code(error: BaseException) -> int | None:
    return error.args[0] if error.args and isinstance(error.args[0], int) else None
