"""aiomysql's connection as the runtime lends it: of aiomysql's own class, with the session's `Exchange` behind it."""

from __future__ import annotations

import asyncio
import contextlib
from socket import SHUT_RDWR
from time import monotonic
from typing import TYPE_CHECKING, Any

from aiomysql.connection import Connection, _open_connection
from pymysql.constants import CLIENT
from pymysql.err import InterfaceError, OperationalError
from pymysql.protocol import MysqlPacket

from breakwater_runtime._mysql.handle import OVER, Lent, raise_over
from breakwater_runtime.deadline import MARGIN_SECONDS

if TYPE_CHECKING:
    import socket


class AsyncMySqlConnection(Lent, Connection):
    """aiomysql's connection: real, but dead after its block."""

    of_the_protocol = ("_next_seq_id", "server_status", "_reader", "_writer")
    target = ""

    @property
    def is_cut(self) -> bool:
        return self._writer is None

    def check_alive(self) -> None:
        self._ensure_alive()

    def cut(self) -> None:
        if self._result is not None:
            self._result.unbuffered_active = False
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            try:
                writer.transport.abort()
            except RuntimeError:  # the loop is closed, and has left the socket open
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").shutdown(SHUT_RDWR)

    def die(self) -> None:
        self._reader = self._writer = None
        self._close_reason = OVER

    async def over(self) -> None:
        raise_over()

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

    def _write_bytes(self, data: bytes) -> None:
        writer = self._writer
        if self._exchange is None and self._secure and writer is not None:
            # Asyncio's transport gives up whatever has arrived when it can't write. So first comes what the loop can
            # read: with TLS 1.3 a server refuses the client's certificate here, and ends the connection.
            asyncio.get_running_loop().call_later(0, writer.write, data)
        else:
            super()._write_bytes(data)

    # sending and reading ----------------------------------------------------------------------------------------------

    async def _execute_command(self, command: int, sql: str | bytes, *, own: bool = False) -> None:
        text = await self.prepare(command, sql, own=own)
        try:
            await super()._execute_command(command, text)
        except BaseException as error:
            self.exchange.failed(error)
            raise

    async def _read_packet(self, packet_type: type[Any] = MysqlPacket) -> Any:
        if self._reader is None:
            raise InterfaceError(0, self._close_reason or "the connection is lost")
        exchange = self._exchange
        if exchange is None:
            return await super()._read_packet(packet_type)
        if exchange.posted:
            await self.drain()
        try:
            packet = await self.one_packet(packet_type)
        except BaseException as error:
            self.note_failure(error)
            raise
        return self.note(packet)

    async def one_packet(self, packet_type: type[Any] = MysqlPacket) -> Any:
        try:
            return await super()._read_packet(packet_type)
        except OperationalError as error:
            exchange = self.exchange
            if self._writer is None and monotonic() >= exchange.limits.ends_at:
                raise OperationalError(
                    error.args[0],
                    f"Lost connection to MySQL server during query ({exchange.place} at {self.target}: no answer in "
                    f"time; the invocation ends in {MARGIN_SECONDS} s)",
                ) from None
            raise

    # what means something else than in PyMySQL ------------------------------------------------------------------------

    async def autocommit(self, value: bool) -> None:
        """Whether the block's statements commit by themselves; what is open is committed first, as MySQL does it."""
        if value and self.exchange.has_open_work:
            await self.commit()
        self.exchange.autocommit = bool(value)

    async def commit(self) -> None:
        """Commit; once the time is over, raise `TransactionAborted` if that would have kept something."""
        if not self.ends_unsent(commits=True):
            await super().commit()

    async def rollback(self) -> None:
        """Roll back; once the time is over, the end of the block does."""
        if not self.ends_unsent(commits=False):
            await super().rollback()

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
