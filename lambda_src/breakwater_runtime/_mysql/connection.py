"""PyMySQL's connection, with what the life of a session needs: when it was used, and what it left behind."""

from __future__ import annotations

import re
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

from pymysql.connections import Connection
from pymysql.constants import SERVER_STATUS

if TYPE_CHECKING:
    import socket

    class _Connection(Connection[Any]):
        """What the published types leave out."""

        _result: Any
        _sock: socket.socket | None
        server_status: int

        def _execute_command(self, command: int, sql: bytes) -> None: ...
        def _read_ok_packet(self) -> Any: ...
        def _read_query_result(self, unbuffered: bool = False) -> int: ...
else:
    _Connection = Connection

# MySQL Reference Manual, "Client/Server Protocol": capabilities, status flags and commands that PyMySQL doesn't name
CLIENT_SESSION_TRACK = 1 << 23
_SERVER_SESSION_STATE_CHANGED = 0x4000
COM_RESET_CONNECTION = 0x1F

# What leaves state behind in a session and is not reported by the server's session tracking.
_LEAVES_STATE = re.compile(rb":=|get_lock|into\s+@|^\s*(call|lock|set|use|prepare|handler|xa)\b", re.IGNORECASE)


class PulsedConnection(_Connection):
    """PyMySQL's connection; it knows when it was last used, and whether its session has state to reset."""

    def __init__(self, **arguments: Any) -> None:
        self.changed = False
        self.touched = False
        self.last_used = 0.0
        # a statement and its reply belong together: the pulse keeps out
        self.busy = threading.RLock()
        super().__init__(**arguments)
        self.opened_with_cursorclass = self.cursorclass

    def query(self, sql: str | bytes, unbuffered: bool = False) -> int:
        """Send a statement and read its reply, as PyMySQL's cursors do."""
        with self.busy:
            encoded = sql.encode(self.encoding) if isinstance(sql, str) else bytes(sql)
            if _LEAVES_STATE.search(encoded, 0, 4096):
                self.changed = True
            self.touched = True
            affected = super().query(encoded, unbuffered)
            self.last_used = monotonic()
            return affected

    def _execute_command(self, command: int, sql: bytes) -> None:
        with self.busy:
            self.last_used = monotonic()
            super()._execute_command(command, sql)

    def _read_ok_packet(self) -> Any:
        with self.busy:
            ok = super()._read_ok_packet()
            self._note(ok.server_status)
            return ok

    def _read_query_result(self, unbuffered: bool = False) -> int:
        with self.busy:
            affected = super()._read_query_result(unbuffered)
        # the flag stays set in the results of SELECTs until the next statement without one: OK packets alone count
        if self._result is not None and self._result.description is None:
            self._note(self.server_status)
        return affected

    def _note(self, server_status: int) -> None:
        self.last_used = monotonic()
        if server_status & _SERVER_SESSION_STATE_CHANGED:
            self.changed = True

    @property
    def socket(self) -> socket.socket | None:
        """The socket, None once closed."""
        return self._sock

    @property
    def needs_end(self) -> bool:
        """Whether a transaction may be open.

        Without autocommit a SELECT opens one, with its snapshot, but MariaDB sets SERVER_STATUS_IN_TRANS only once
        something is written: then the status of a session that was used says nothing.
        """
        if self.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
            return True
        return self.touched and not self.server_status & SERVER_STATUS.SERVER_STATUS_AUTOCOMMIT

    def commit(self) -> None:
        """Commit; the next statement opens a transaction."""
        super().commit()
        self.touched = False

    def rollback(self) -> None:
        """Roll back; the next statement opens a transaction."""
        super().rollback()
        self.touched = False

    @property
    def is_streaming(self) -> bool:
        """Whether an unbuffered result is still arriving."""
        return self._result is not None and bool(self._result.unbuffered_active or self._result.has_next)

    def limit_waiting(self, seconds: float) -> None:
        """Give up waiting for the server after so long."""
        self._read_timeout = self._write_timeout = max(seconds, 0.001)

    def rows(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        """Run a statement of the runtime's own; never with the user's cursor class, which may return dictionaries."""
        touched = self.touched
        self.query(statement)
        self.touched = touched  # the server's status opens no transaction
        return self._result.rows or ()

    def reset_session(self) -> None:
        """Make the session new: variables, temporary tables, locks, prepared statements, the default database."""
        with self.busy:
            self._execute_command(COM_RESET_CONNECTION, b"")
            self._read_ok_packet()
            if self.db:
                self.select_db(self.db)
            self.set_character_set(self.charset, self.collation)
            if self.init_command:
                self.query(self.init_command)
            self.changed = self.touched = False
