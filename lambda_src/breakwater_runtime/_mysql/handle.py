"""What PyMySQL's and aiomysql's connections do in the same way: be lent, and send and read what `Exchange` wants."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from pymysql.constants import COMMAND, CR
from pymysql.converters import decoders as DECODERS  # noqa: N812
from pymysql.err import Error, InterfaceError, OperationalError

from breakwater_runtime._core.session import settled, too_late
from breakwater_runtime._mysql.answer import DONE, ROWS, Answer
from breakwater_runtime._mysql.exchange import ABORTED
from breakwater_runtime.errors import TransactionAborted

if TYPE_CHECKING:
    from typing_extensions import Self

    from breakwater_runtime._mysql.exchange import Exchange

    class _Base:
        """What both drivers' connections have, and the published types leave out."""

        encoding: str
        encoders: dict[Any, Any]
        decoders: dict[int, Any]
        server_version: str
        _affected_rows: int
        _next_seq_id: int
        _result: Any

        def _execute_command(self, command: int, sql: str | bytes, *, own: bool = False) -> Any: ...
        def _read_packet(self, packet_type: type[Any] = ...) -> Any: ...
        def _read_query_result(self, unbuffered: bool = False) -> Any: ...
        def _write_bytes(self, data: bytes) -> None: ...
        def commit(self) -> Any: ...
        def next_result(self) -> Any: ...

        # what each of the two has of the runtime's own
        @property
        def is_cut(self) -> bool:
            """Whether there is no connection any more."""
            ...

        def check_alive(self) -> None:
            """Raise InterfaceError where there is no connection any more."""

        def cut(self) -> None:
            """Close without a word, whatever state the connection is in."""

        def die(self) -> None:
            """Let every method raise from now on."""

        def one_packet(self) -> Any:
            """Read a packet as the driver does."""

        def over(self) -> Any:
            """Raise that the block is over, as one of the driver's methods."""
else:
    _Base = object

OVER = "this connection was lent for a block that is over"
_EOF = 0xFE


class Lent(_Base):
    """A driver's connection: real, but dead after its block.

    Attributes
    ----------
    of_the_protocol
        The attributes that a handle takes over from the one before, and hands on.
    """

    of_the_protocol: tuple[str, ...]
    _exchange: Exchange | None = None

    @property
    def exchange(self) -> Exchange:
        """The session's exchange."""
        assert self._exchange is not None  # noqa: S101 -- set once the server has introduced itself
        return self._exchange

    def get_autocommit(self) -> bool:
        """Whether the block's statements commit by themselves."""
        return self.exchange.autocommit

    # what a handle is -------------------------------------------------------------------------------------------------

    def lend(self) -> Self:
        """Make the handle of a block: a new object around the same socket."""
        handle = object.__new__(type(self))
        handle.__dict__.update(self.__dict__)
        # the two that a handler may change in place
        handle.encoders, handle.decoders = dict(self.encoders), dict(self.decoders)
        return handle

    def take_back(self, handle: Self) -> None:
        """Make a handle dead, and take over what it knows of the protocol."""
        result = handle._result
        if result is not None and (result.unbuffered_active or result.has_next):
            # what was not read to its end is cut off
            self.exchange.lost = True
            result.unbuffered_active = False
            self._end(result)
        for name in self.of_the_protocol:
            setattr(self, name, getattr(handle, name))
        handle._result = None
        handle.die()

    def _end(self, result: Any) -> None:
        """See to it that the cursor of an unbuffered result raises instead of saying that there are no more rows."""
        result._read_rowdata_packet_unbuffered = self.over

    # sending and reading ----------------------------------------------------------------------------------------------

    async def prepare(self, command: int, sql: str | bytes, *, own: bool) -> bytes:
        """Do what has to come before a command, and return its text."""
        self.check_alive()
        text = sql.encode(self.encoding, "surrogateescape") if isinstance(sql, str) else bytes(sql)
        await self._read_on()
        exchange = self.exchange
        if not own and exchange.limits.is_over:
            error = OperationalError(CR.CR_SERVER_LOST, "not sent, since the invocation's time is over")
            exchange.failed(error)
            raise error
        if exchange.unsure and not own:
            await self.tell_whether_aborted()
        if exchange.proxy and not own and command == COMMAND.COM_QUERY and exchange.wants_begin(text):
            # a SET of autocommit would pin the proxy's session, a transaction is where it expects to share it
            await self.ask(COMMAND.COM_QUERY, b"BEGIN")
        exchange.sending(command, text, own=own)
        return text

    def ends_unsent(self, *, commits: bool) -> bool:
        """Once the time is over, leave COMMIT and ROLLBACK to the block's end, which rolls back. False: there is time.

        Raises
        ------
        TransactionAborted
            COMMIT would have kept something, or the server has rolled it back before.
        """
        exchange = self.exchange
        if not exchange.limits.is_over:
            return False
        if not commits:
            exchange.unsaved = exchange.aborted = False
        elif exchange.aborted:
            raise TransactionAborted(ABORTED)
        elif exchange.could_lose:
            error = too_late(exchange.outcome)
            exchange.failed(error)
            raise error
        return True

    async def _read_on(self) -> None:
        """Read what the statement before has left, as the drivers do before they send the next."""
        result = self._result
        if result is not None:
            if result.unbuffered_active:
                warnings.warn("Previous unbuffered result was left incomplete", stacklevel=5)
                await settled(result._finish_unbuffered_query())
            await self._read_results()

    async def _read_results(self) -> None:
        while self._result is not None and self._result.has_next:
            await settled(self.next_result())
        self._result = None

    async def finish_result(self) -> None:
        """Read on what the block has left of a result, and see to it that its cursor raises from now on."""
        result = self._result
        if result is not None and result.unbuffered_active:
            await settled(result._finish_unbuffered_query())
            self._end(result)
        await self._read_results()

    async def tell_whether_aborted(self) -> None:
        """After an error, ask whether the transaction is still open."""
        was_plain = self.exchange.failed_plainly
        await self.ask(COMMAND.COM_PING, b"")
        self.exchange.told(was_plain=was_plain)

    async def ask(self, command: int, text: bytes) -> tuple[tuple[Any, ...], ...]:
        """Send a command of the runtime's own, and return the rows of its answer."""
        result, affected_rows, users_own = self._result, self._affected_rows, self.decoders
        self._result, self.decoders = None, DECODERS
        try:
            await settled(self._execute_command(command, text, own=True))
            await settled(self._read_query_result())
        finally:
            self.decoders = users_own
        answered: Any = self._result
        rows = answered.rows or ()
        self._result, self._affected_rows = result, affected_rows
        return rows

    def _write_bytes(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.outbox:
            data = bytes(exchange.outbox) + data
            exchange.outbox.clear()
        super()._write_bytes(data)

    def note(self, packet: Any) -> Any:
        """Note a packet of the answer, and return it."""
        exchange, data = self.exchange, packet._data
        if exchange.answer.stage != ROWS or data[0] == _EOF:
            exchange.answered(data)
        return packet

    def note_failure(self, error: BaseException) -> None:
        """Note what came instead of a packet."""
        if isinstance(error, Error) and not self.is_cut:
            self.exchange.refused(error)
        else:
            self.exchange.failed(error)

    async def drain(self) -> None:
        """Read the answers to what was posted."""
        exchange = self.exchange
        number = self._next_seq_id
        answer = Answer()
        while exchange.posted:
            self._next_seq_id = 1
            answer.begin(own=True)
            try:
                while answer.stage != DONE:
                    answer.feed((await settled(self.one_packet()))._data)
            except BaseException as error:
                if not isinstance(error, Error) or self.is_cut:
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


def raise_over() -> None:
    """Say that the block is over."""
    raise InterfaceError(0, OVER)
