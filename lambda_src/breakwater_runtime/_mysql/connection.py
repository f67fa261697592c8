"""PyMySQL's connection as the runtime lends it: of PyMySQL's own class, with the session's `Exchange` behind it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pymysql.connections import Connection
from pymysql.constants import COMMAND
from pymysql.err import Error, InterfaceError
from pymysql.protocol import MysqlPacket

from breakwater_runtime._mysql.answer import DONE, ROWS, Answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from breakwater_runtime._core.line import Line
    from breakwater_runtime._mysql.exchange import Exchange

    class _Connection(Connection[Any]):
        """What the published types leave out."""

        _result: Any
        _sock: Any
        _rfile: Any
        _closed: bool
        _next_seq_id: int
        _current_timeout: float | None
        server_status: int
        server_version: str
        encoding: str
        encoders: dict[Any, Any]
        decoders: dict[int, Any]

        def _create_ssl_ctx(self, sslp: Any) -> Any: ...
        def _execute_command(self, command: int, sql: str | bytes) -> None: ...
        def _read_packet(self, packet_type: type[Any] = MysqlPacket) -> Any: ...
        def _read_ok_packet(self) -> Any: ...
        def _read_query_result(self, unbuffered: bool = False) -> int: ...
        def _write_bytes(self, data: bytes) -> None: ...
        def _force_close(self) -> None: ...
else:
    _Connection = Connection

OVER = "this connection was lent for a block that is over"
# what a handle takes over from the one before, and hands on
_OF_THE_PROTOCOL = ("_next_seq_id", "server_status", "_sock", "_rfile")
_EOF = 0xFE


class _TlsOverLine:
    """What PyMySQL takes for its SSLContext."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, line: Line, server_hostname: str | None) -> Line:
        line.secure(self._context, server_hostname)
        return line


class MySqlConnection(_Connection):
    """PyMySQL's connection: real, but dead after its block."""

    _exchange: Exchange | None = None
    _closer: Callable[[], None] | None = None

    def _create_ssl_ctx(self, sslp: Any) -> Any:
        return _TlsOverLine(sslp)

    # what a handle is -------------------------------------------------------------------------------------------------

    def lend(self, closer: Callable[[], None] | None) -> MySqlConnection:
        """Make the handle of a block: a new object around the same socket."""
        handle = object.__new__(type(self))
        handle.__dict__.update(self.__dict__)
        # the two that a handler may change in place
        handle.encoders, handle.decoders = dict(self.encoders), dict(self.decoders)
        handle._closer = closer
        return handle

    def take_back(self, handle: MySqlConnection) -> None:
        """Make a handle dead, and take over what it knows of the protocol."""
        for name in _OF_THE_PROTOCOL:
            setattr(self, name, getattr(handle, name))
        handle._sock = handle._rfile = handle._result = None
        handle._closed = True

    @property
    def exchange(self) -> Exchange:
        """The session's exchange."""
        assert self._exchange is not None  # noqa: S101 -- set once the server has introduced itself
        return self._exchange

    # sending and reading ----------------------------------------------------------------------------------------------

    def _execute_command(self, command: int, sql: str | bytes, *, own: bool = False) -> None:
        if self._sock is None:
            raise InterfaceError(0, OVER if self._closed else "the connection is lost")
        text = sql.encode(self.encoding, "surrogateescape") if isinstance(sql, str) else bytes(sql)
        self._read_on()
        exchange = self.exchange
        if exchange.unsure and not own:
            was_plain = exchange.failed_plainly
            self.ask(COMMAND.COM_PING, b"")
            exchange.told(was_plain=was_plain)
        if exchange.proxy and not own and command == COMMAND.COM_QUERY and exchange.wants_begin(text):
            # a SET of autocommit would pin the proxy's session, a transaction is where it expects to share it
            self.ask(COMMAND.COM_QUERY, b"BEGIN")
        exchange.sending(command, text, own=own)
        self._sock.place = exchange.place
        try:
            super()._execute_command(command, text)
        except BaseException as error:
            exchange.failed(error)
            raise

    def _read_on(self) -> None:
        """Read what the statement before has left, as PyMySQL does before it sends the next."""
        result = self._result
        if result is not None:
            if result.unbuffered_active:
                warnings.warn("Previous unbuffered result was left incomplete", stacklevel=4)
                result._finish_unbuffered_query()
            while self._result is not None and self._result.has_next:
                self.next_result()
            self._result = None

    def _write_bytes(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.outbox:
            data = bytes(exchange.outbox) + data
            exchange.outbox.clear()
        super()._write_bytes(data)

    def _read_packet(self, packet_type: type[Any] = MysqlPacket) -> Any:
        if self._rfile is None:
            raise InterfaceError(0, OVER if self._closed else "the connection is lost")
        exchange = self._exchange
        if exchange is None:
            return super()._read_packet(packet_type)
        if exchange.posted:
            self.drain()
        try:
            packet = super()._read_packet(packet_type)
        except BaseException as error:
            if isinstance(error, Error) and self._sock is not None:
                exchange.refused(error)
            else:
                exchange.failed(error)
            raise
        data = packet._data
        if exchange.answer.stage != ROWS or data[0] == _EOF:
            exchange.answered(data)
        return packet

    def drain(self) -> None:
        """Read the answers to what was posted."""
        exchange = self.exchange
        number = self._next_seq_id
        while exchange.posted:
            self._next_seq_id = 1
            answer = Answer()
            answer.begin()
            try:
                while answer.stage != DONE:
                    answer.feed(super()._read_packet()._data)
            except BaseException as error:
                if not isinstance(error, Error) or self._sock is None:
                    exchange.failed(error)
                    raise
                try:
                    exchange.post_refused(error)
                except Error:
                    self._force_close()
                    raise
            else:
                exchange.post_answered(answer)
        self._next_seq_id = number

    def ask(self, command: int, text: bytes) -> tuple[tuple[Any, ...], ...]:
        """Send a command of the runtime's own, and return the rows of its answer."""
        kept = self._result, self._affected_rows
        self._result = None
        self._execute_command(command, text, own=True)
        self._read_query_result()
        result: Any = self._result
        rows = result.rows or ()
        self._result, self._affected_rows = kept
        return rows

    # what means something else than in PyMySQL ------------------------------------------------------------------------

    def autocommit(self, value: bool) -> None:
        """Whether the block's statements commit by themselves; what is open is committed first, as MySQL does it."""
        if value and self.exchange.has_open_work:
            self.commit()
        self.exchange.autocommit = bool(value)

    def get_autocommit(self) -> bool:
        """Whether the block's statements commit by themselves."""
        return self.exchange.autocommit

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
        closer, self._closer = self._closer, None
        if closer is not None:
            closer()
        elif self._sock is not None:
            self.exchange.lost = True
            super().close()

    def cut(self) -> None:
        """Close without a word, whatever state the connection is in."""
        if self._result is not None:
            # PyMySQL would read on when the result goes
            self._result.unbuffered_active = False
        self._force_close()


def raises_from_now_on(result: Any) -> None:
    """See to it that the cursor of an unbuffered result raises instead of saying that there are no more rows."""

    def over() -> None:
        raise InterfaceError(0, OVER)

    result._read_rowdata_packet_unbuffered = over
