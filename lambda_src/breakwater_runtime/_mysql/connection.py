"""PyMySQL's connection as the runtime lends it: of PyMySQL's own class, with the session's `Exchange` behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymysql.connections import Connection
from pymysql.err import InterfaceError
from pymysql.protocol import MysqlPacket

from breakwater_runtime._core.session import now
from breakwater_runtime._mysql.handle import OVER, Lent, raise_over

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from breakwater_runtime._core.line import Line


class _TlsOverLine:
    """What PyMySQL takes for its SSLContext."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, line: Line, server_hostname: str | None) -> Line:
        line.secure(self._context, server_hostname)
        return line


class MySqlConnection(Lent, Connection):
    """PyMySQL's connection: real, but dead after its block."""

    of_the_protocol = ("_next_seq_id", "server_status", "_sock", "_rfile")
    closer: Callable[[], None] | None = None
    """What `close()` does instead of closing, where a pool gives back in this way."""
    if TYPE_CHECKING:
        _sock: Any

        def _force_close(self) -> None: ...

    def _create_ssl_ctx(self, sslp: Any) -> Any:
        return _TlsOverLine(sslp)

    @property
    def is_cut(self) -> bool:
        return self._sock is None

    def check_alive(self) -> None:
        if self._sock is None:
            raise InterfaceError(0, OVER if self._closed else "the connection is lost")

    def cut(self) -> None:
        if self._result is not None:
            # PyMySQL would read on when the result goes
            self._result.unbuffered_active = False
        self._force_close()

    def die(self) -> None:
        self._sock = self._rfile = None
        self._closed = True

    def over(self) -> None:
        raise_over()

    def _write_bytes(self, data: bytes) -> None:
        exchange = self._exchange
        if self._sock is None and exchange is not None and exchange.error is not None:
            # PyMySQL ends a LOAD DATA by one more packet, whatever has happened
            raise exchange.error
        try:
            super()._write_bytes(data)
        except BaseException as error:
            if exchange is not None:
                exchange.failed(error)
            raise

    def one_packet(self) -> Any:
        return super()._read_packet()

    # sending and reading ----------------------------------------------------------------------------------------------

    def _execute_command(self, command: int, sql: str | bytes, *, own: bool = False) -> None:
        text = now(self.prepare(command, sql, own=own))
        exchange = self.exchange
        self._sock.place = exchange.place
        try:
            super()._execute_command(command, text)
        except BaseException as error:
            exchange.failed(error)
            raise

    def _read_packet(self, packet_type: type[Any] = MysqlPacket) -> Any:
        self.check_alive()
        exchange = self._exchange
        if exchange is None:
            return super()._read_packet(packet_type)
        if exchange.posted:
            now(self.drain())
        try:
            packet = super()._read_packet(packet_type)
        except BaseException as error:
            self.note_failure(error)
            raise
        return self.note(packet)

    # what means something else than in PyMySQL ------------------------------------------------------------------------

    def autocommit(self, value: bool) -> None:
        """Whether the block's statements commit by themselves; what is open is committed first, as MySQL does it."""
        if value and self.exchange.has_open_work:
            self.commit()
        self.exchange.autocommit = bool(value)

    def commit(self) -> None:
        """Commit; once the time is over, raise `TransactionAborted` if that would have kept something."""
        if not self.ends_unsent(commits=True):
            super().commit()

    def rollback(self) -> None:
        """Roll back; once the time is over, the end of the block does."""
        if not self.ends_unsent(commits=False):
            super().rollback()

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Change the charset; a fresh session is told of it with everything else, in one round trip."""
        if self._exchange is not None:
            super().set_character_set(charset, collation)

    def ping(self, reconnect: bool = False) -> None:  # noqa: ARG002 -- the driver's own signature
        """Ask whether the server is there; never connect anew, since the block's transaction would be gone."""
        super().ping(reconnect=False)

    def connect(self, sock: Any = None) -> None:
        """Connect over a line; a handle never connects."""
        if sock is None:
            raise InterfaceError(0, "the runtime opens this connection; a block can't open it anew")
        super().connect(sock)

    def close(self) -> None:
        """Close, quietly, however often; what is open is rolled back."""
        closer, self.closer = self.closer, None
        if closer is not None:
            closer()
        elif self._sock is not None:
            self.exchange.lost = True
            super().close()
