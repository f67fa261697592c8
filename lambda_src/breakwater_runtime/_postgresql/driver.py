"""PostgreSQL, by psycopg 3."""

from __future__ import annotations

import contextlib
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus

from breakwater_runtime._core.driver import CONNECT_TIMEOUT_SECONDS, Driver
from breakwater_runtime._core.liveness import CHECK_TIMEOUT_SECONDS, TCP_USER_TIMEOUT_SECONDS
from breakwater_runtime._postgresql import hunting
from breakwater_runtime._postgresql.exchange import exchange, is_idle, results_of
from breakwater_runtime.errors import TransactionAborted
from breakwater_runtime.tls import ca_file

if TYPE_CHECKING:
    from breakwater_runtime.credentials import Login

# What DISCARD ALL does, in a form that may follow COMMIT in one message; without DEALLOCATE ALL, so that the
# statements that psycopg has prepared stay so. RESET ALL returns to the values given at startup.
RESET = (
    b"RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; CLOSE ALL; UNLISTEN *; "
    b"SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)

ABORTED = (
    "The block ended without an error, but a statement in it had failed, and PostgreSQL commits nothing of such a "
    "transaction: it was rolled back. Let the error out of the block, or put the statement that may fail into "
    "`with connection.transaction():`."
)

# What a refused connect says; libpq hands on the text alone, without an SQLSTATE.
_FULL = ("too many clients", "too many connections", "remaining connection slots", "53300")
_LOGIN_REFUSED = ("password authentication failed", "pam authentication failed")
_PERMANENT = (
    *_LOGIN_REFUSED,
    "does not exist",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "permission denied for database",
    "certificate verify failed",
    "does not match host name",
    "certificate authentication failed",
    "no password supplied",
    "root certificate file",
    "server does not support ssl",
    "invalid connection option",
    "unrecognized configuration parameter",
)
_ATTRIBUTES = (
    "row_factory",
    "cursor_factory",
    "server_cursor_factory",
    "_autocommit",
    "_isolation_level",
    "_read_only",
    "_deferrable",
    "_begin_statement",
)


class PulsedConnection(psycopg.Connection[Any]):
    """psycopg's connection; it knows when and whether it was used, and whether its reset is still to be answered."""

    last_used = 0.0
    touched = False
    reset_sent = False
    _opened_with: dict[str, Any]

    def remember(self) -> None:
        """Remember the attributes that a handler may change."""
        self._opened_with = {name: getattr(self, name) for name in _ATTRIBUTES}

    def restore(self) -> None:
        """Restore the attributes as they were on opening."""
        for name, value in self._opened_with.items():
            if getattr(self, name) is not value:
                # below psycopg's properties, which want an idle connection: the reset's reply may be on its way
                setattr(self, name, value)

    def wait(self, *arguments: Any, **keywords: Any) -> Any:
        self.touched = True
        try:
            return super().wait(*arguments, **keywords)
        finally:
            self.last_used = monotonic()


class PostgreSql(Driver):
    """PostgreSQL 14 and newer (`idle_session_timeout`)."""

    def connect(self, login: Login, timeout: float, *, pulse: bool = True) -> PulsedConnection:
        connection = PulsedConnection.connect(**self.arguments(login, timeout, pulse=pulse))
        connection.last_used = monotonic()
        connection.remember()
        return connection

    def arguments(self, login: Login, timeout: float, *, pulse: bool) -> dict[str, Any]:
        """Return what psycopg's connect takes."""
        settings = self.settings
        arguments: dict[str, Any] = {
            "host": login.host,
            "port": login.port,
            "user": login.user,
            "password": login.password,
            "dbname": login.database,
            # psycopg makes two seconds of less
            "connect_timeout": max(2, int(min(timeout, CONNECT_TIMEOUT_SECONDS))),
            "autocommit": self.autocommit,
            "gssencmode": "disable",
            "keepalives_idle": TCP_USER_TIMEOUT_SECONDS,
            "keepalives_interval": TCP_USER_TIMEOUT_SECONDS,
            "tcp_user_timeout": TCP_USER_TIMEOUT_SECONDS * 1000,
        }
        if settings.tls_ca is None:
            arguments["sslmode"] = "disable"
        else:
            arguments |= {"sslmode": "verify-full", "sslrootcert": ca_file(settings.tls_ca) or "system"}
        if settings.proxy:
            # prepared statements pin the proxy's session
            arguments["prepare_threshold"] = None
        else:
            idle = self.idle_session_seconds(pulse=pulse)
            # startup parameters: no statement needed, and RESET ALL returns to them
            arguments["options"] = f"-c idle_session_timeout={idle}s -c idle_in_transaction_session_timeout={idle}s"
            if pulse:
                arguments["application_name"] = hunting.MARK
        return arguments | self.options

    def begin_invocation(self, connection: PulsedConnection, remaining: float) -> None:
        """Nothing to do: psycopg begins a transaction with the first statement."""

    def is_alive(self, connection: PulsedConnection) -> bool:
        try:
            if connection.reset_sent:
                connection.reset_sent = False
                results_of(connection.pgconn, CHECK_TIMEOUT_SECONDS)
            return is_idle(connection.pgconn)
        except psycopg.Error:
            return False

    def answers(self, connection: PulsedConnection) -> bool:
        statement = b"" if self.settings.proxy else hunting.IS_SPARED
        try:
            results = exchange(connection, statement)
        except psycopg.Error:
            return False
        return self.settings.proxy or results[-1].get_value(0, 0) == b"t"

    def pulse(self, connection: PulsedConnection, idle_seconds: float) -> None:
        # psycopg's lock is held while a statement runs
        if connection.lock.acquire(blocking=False):
            try:
                quiet = connection.pgconn.transaction_status in (
                    TransactionStatus.IDLE,
                    TransactionStatus.INTRANS,
                    TransactionStatus.INERROR,
                )
                if quiet and monotonic() - connection.last_used >= idle_seconds:
                    # an empty query is allowed in a failed transaction, too
                    exchange(connection, b"")
            except psycopg.Error:
                # the block's next statement will say so
                pass
            finally:
                connection.lock.release()

    def commit(self, connection: PulsedConnection) -> None:
        status = connection.pgconn.transaction_status
        if status == TransactionStatus.INERROR:
            self.rollback(connection)
            raise TransactionAborted(ABORTED)
        self._end(connection, b"COMMIT" if status == TransactionStatus.INTRANS else b"")

    def rollback(self, connection: PulsedConnection) -> None:
        status = connection.pgconn.transaction_status
        self._end(connection, b"" if status == TransactionStatus.IDLE else b"ROLLBACK")

    def _end(self, connection: PulsedConnection, statement: bytes) -> None:
        if connection.touched:
            self._send_end(connection, statement)
            connection.restore()
            connection.touched = False

    def _send_end(self, connection: PulsedConnection, statement: bytes) -> None:
        if self.settings.proxy:
            if statement:
                exchange(connection, statement, timeout=None)
        elif statement:
            exchange(connection, statement + b"; " + RESET, timeout=None)
        else:
            # nobody waits for the answer: it is read before the next use
            connection.pgconn.send_query(RESET)
            connection.pgconn.flush()
            connection.reset_sent = True
            connection.last_used = monotonic()

    def connections_on_server(self, connection: PulsedConnection) -> tuple[int, int]:
        return hunting.connections_on_server(connection, self.settings.max_connections)

    def end_zombies(self, connection: PulsedConnection, idle_seconds: int) -> int:
        return hunting.end(connection, idle_seconds)

    def close(self, connection: PulsedConnection) -> None:
        with contextlib.suppress(psycopg.Error):
            connection.close()

    def is_login_refused(self, error: Exception) -> bool:
        return _says(error, _LOGIN_REFUSED)

    def is_server_full(self, error: Exception) -> bool:
        return _says(error, _FULL)

    def is_retryable(self, error: Exception) -> bool:
        return isinstance(error, psycopg.OperationalError) and not _says(error, _PERMANENT)

    def is_rolled_back(self, error: BaseException) -> bool:
        if not isinstance(error, psycopg.OperationalError):
            return False
        # libpq's own errors have no SQLSTATE. 08: connection exception; 40: transaction rollback (deadlock,
        # serialization); 57P: operator intervention and timeouts; 25P03: idle in transaction
        state = error.sqlstate
        return state is None or state.startswith(("08", "40", "57P")) or state == "25P03"


def _says(error: Exception, texts: tuple[str, ...]) -> bool:
    message = str(error).lower()
    return any(text in message for text in texts)
