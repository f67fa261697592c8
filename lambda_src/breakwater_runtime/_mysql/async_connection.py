"""aiomysql's connection as the runtime lends it: of aiomysql's own class, with the session's `Exchange` behind it."""

from __future__ import annotations

import contextlib
import warnings
from time import monotonic
from typing import TYPE_CHECKING, Any

from aiomysql.connection import Connection, MySQLResult, _open_connection
from pymysql.constants import CLIENT, COMMAND
from pymysql.err import Error, InterfaceError, OperationalError
from pymysql.protocol import MysqlPacket

from breakwater_runtime._mysql.answer import DONE, ROWS, Answer
from breakwater_runtime._mysql.connection import OVER
from breakwater_runtime.deadline import MARGIN_SECONDS

if TYPE_CHECKING:
    import socket

    from breakwater_runtime._mysql.exchange import Exchange

# what a handle takes over from the one before, and hands on
_OF_THE_PROTOCOL = ("_next_seq_id", "server_status", "_reader", "_writer")
_EOF = 0xFE


class AsyncMySqlConnection(Connection):
    """aiomysql's connection: real, but dead after its block."""

    _exchange: Exchange | None = None
    target = ""

    # what a handle is -------------------------------------------------------------------------------------------------

    def lend(self) -> AsyncMySqlConnection:
        """Make the handle of a block: a new object around the same transport."""
        handle = object.__new__(type(self))
        handle.__dict__.update(self.__dict__)
        # the two that a handler may change in place
        handle.encoders, handle.decoders = dict(self.encoders), dict(self.decoders)
        return handle

    def take_back(self, handle: AsyncMySqlConnection) -> None:
        """Make a handle dead, and take over what it knows of the protocol."""
        for name in _OF_THE_PROTOCOL:
            setattr(self, name, getattr(handle, name))
        handle._reader = handle._writer = handle._result = None
        handle._close_reason = OVER

    @property
    def exchange(self) -> Exchange:
        """The session's exchange."""
        assert self._exchange is not None  # noqa: S101 -- set once the server has introduced itself
        return self._exchange

    # connecting -------------------------------------------------------------------------------------------------------

    async def log_in(self, one: socket.socket) -> None:
        """Log in over a connected socket."""
        self._reader, self._writer = await _open_connection(sock=one)
        self._next_seq_id = 0
        await self._get_server_information()
        await self._request_authentication()

    async def _request_authentication(self) -> None:
        # aiomysql goes on in plain text when a server offers no TLS
        if self._ssl_context and not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(2026, "SSL is required but the server doesn't support it")
        await super()._request_authentication()

    # sending and reading ----------------------------------------------------------------------------------------------

    async def _execute_command(self, command: int, sql: str | bytes, *, own: bool = False) -> None:
        self._ensure_alive()
        text = sql.encode(self.encoding, "surrogateescape") if isinstance(sql, str) else bytes(sql)
        await self._read_on()
        exchange = self.exchange
        if exchange.unsure and not own:
            was_plain = exchange.failed_plainly
            await self.ask(COMMAND.COM_PING, b"")
            exchange.told(was_plain=was_plain)
        if exchange.proxy and not own and command == COMMAND.COM_QUERY and exchange.wants_begin(text):
            # a SET of autocommit would pin the proxy's session, a transaction is where it expects to share it
            await self.ask(COMMAND.COM_QUERY, b"BEGIN")
        exchange.sending(command, text, own=own)
        try:
            await super()._execute_command(command, text)
        except BaseException as error:
            exchange.failed(error)
            raise

    async def _read_on(self) -> None:
        """Read what the statement before has left, as aiomysql does before it sends the next."""
        result = self._result
        if result is not None:
            if result.unbuffered_active:
                warnings.warn("Previous unbuffered result was left incomplete", stacklevel=4)
                await result._finish_unbuffered_query()
            while self._result is not None and self._result.has_next:
                await self.next_result()
            self._result = None

    def _write_bytes(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.outbox:
            data = bytes(exchange.outbox) + data
            exchange.outbox.clear()
        super()._write_bytes(data)

    async def _read_packet(self, packet_type: type[Any] = MysqlPacket) -> Any:
        if self._reader is None:
            raise InterfaceError(0, self._close_reason or "the connection is lost")
        exchange = self._exchange
        if exchange is None:
            return await super()._read_packet(packet_type)
        if exchange.posted:
            await self.drain()
        try:
            packet = await self._packet(packet_type)
        except BaseException as error:
            if isinstance(error, Error) and self._writer is not None:
                exchange.refused(error)
            else:
                exchange.failed(error)
            raise
        data = packet._data
        if exchange.answer.stage != ROWS or data[0] == _EOF:
            exchange.answered(data)
        return packet

    async def _packet(self, packet_type: type[Any] = MysqlPacket) -> Any:
        try:
            return await super()._read_packet(packet_type)
        except OperationalError as error:
            if self._writer is None and self._deadline_cut():
                raise OperationalError(
                    error.args[0],
                    f"Lost connection to MySQL server during query ({self.exchange.place} at {self.target}: no answer "
                    f"in time; the invocation ends in {MARGIN_SECONDS} s)",
                ) from None
            raise

    def _deadline_cut(self) -> bool:
        return monotonic() >= self.exchange.limits.ends_at

    async def drain(self) -> None:
        """Read the answers to what was posted."""
        exchange = self.exchange
        number = self._next_seq_id
        while exchange.posted:
            self._next_seq_id = 1
            answer = Answer()
            answer.begin()
            try:
                while answer.stage != DONE:
                    answer.feed((await self._packet())._data)
            except BaseException as error:
                if not isinstance(error, Error) or self._writer is None:
                    exchange.failed(error)
                    raise
                try:
                    exchange.post_refused(error)
                except Error:
                    self.cut()
                    raise
            else:
                exchange.post_answered(answer)
        self._next_seq_id = number

    async def ask(self, command: int, text: bytes) -> tuple[tuple[Any, ...], ...]:
        """Send a command of the runtime's own, and return the rows of its answer."""
        kept = self._result, self._affected_rows
        self._result = None
        await self._execute_command(command, text, own=True)
        result = MySQLResult(self)
        await result.read()
        self._result, self._affected_rows = kept
        return result.rows or ()

    # what means something else than in aiomysql -----------------------------------------------------------------------

    async def autocommit(self, value: bool) -> None:
        """Whether the block's statements commit by themselves; what is open is committed first, as MySQL does it."""
        if value and self.exchange.has_open_work:
            await self.commit()
        self.exchange.autocommit = bool(value)

    def get_autocommit(self) -> bool:
        """Whether the block's statements commit by themselves."""
        return self.exchange.autocommit

    async def ping(self, reconnect: bool = False) -> None:  # noqa: ARG002 -- the driver's own signature
        """Ask whether the server is there; never connect anew, since the block's transaction would be gone."""
        await super().ping(reconnect=False)

    def close(self) -> None:
        """Close, quietly, however often; what is open is rolled back."""
        if self._exchange is not None and self._writer is not None:
            self._exchange.lost = True
        super().close()

    async def ensure_closed(self) -> None:
        """Close, quietly, however often; what is open is rolled back."""
        if self._writer is not None:
            self.exchange.lost = True
            await super().ensure_closed()

    def cut(self) -> None:
        """Close at once, whatever state the connection is in."""
        if self._result is not None:
            self._result.unbuffered_active = False
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                writer.transport.abort()


def raises_from_now_on(result: Any) -> None:
    """See to it that the cursor of an unbuffered result raises instead of saying that there are no more rows."""

    async def over() -> None:
        raise InterfaceError(0, OVER)

    result._read_rowdata_packet_unbuffered = over
