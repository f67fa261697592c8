"""What a block gets: psycopg's own Connection or AsyncConnection, whose waits end at the deadline, dead afterwards."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import psycopg
from psycopg import capabilities, generators, waiting
from psycopg.errors import _WaitTimeout
from psycopg.pq import ConnStatus, Format, PGconn, TransactionStatus
from psycopg.sql import Composable

from breakwater_runtime._core.outcome import Outcome
from breakwater_runtime._core.session import now
from breakwater_runtime._postgresql.locks import AsyncBoundedLock, BoundedLock
from breakwater_runtime._postgresql.messages import UNKNOWN
from breakwater_runtime._postgresql.wire import check

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from psycopg.pq.abc import PGresult

    from breakwater_runtime._postgresql.session import PostgreSqlSession

    Result = TypeVar("Result")

    class _Base(psycopg.Connection[Any]):
        """What both halves of psycopg have in common, as far as the mixin uses it."""
else:
    _Base = object

# how often psycopg lets signal handlers run while it waits
INTERVAL_SECONDS = 0.1
PREPARE_THRESHOLD = 5
PREPARED_MAX = 100
# psycopg's own
CANCEL_SECONDS = 30.0


@cache
def _finished() -> PGconn:
    """Make the connection of all handles that are dead; libpq refuses the option before it looks at the network."""
    pgconn = PGconn.connect_start(b"no_such_option=1")
    pgconn.finish()
    return pgconn


class Noting:
    """A cursor that tells its connection each statement before it is sent."""

    __slots__ = ()

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        converted = super()._convert_query(query, params)  # pyrefly: ignore
        self._conn.notes(converted.query)  # pyrefly: ignore
        return converted


@cache
def noting(cursor_class: type[Any]) -> type[Any]:
    """Return a cursor class that tells its connection what it sends."""
    return type(cursor_class.__name__, (Noting, cursor_class), {"__slots__": (), "__module__": cursor_class.__module__})


class Lent(_Base):
    """What the handles of both halves do beyond psycopg's connection."""

    _Lock: type[BoundedLock | AsyncBoundedLock]
    _session: PostgreSqlSession | None
    _closed_by_block: Callable[[], None] | None

    def lend(self, session: PostgreSqlSession, options: dict[str, Any], closed: Callable[[], None] | None) -> None:
        """Set the connection up as psycopg's connect would."""
        self._session = session
        self.lock = self._Lock(session.seconds_left)  # pyrefly: ignore
        self._closed_by_block = closed
        self._prepared = session.prepared
        self.prepare_threshold = options.get("prepare_threshold", PREPARE_THRESHOLD)
        self.prepared_max = PREPARED_MAX
        self._autocommit = options["autocommit"]
        if row_factory := options.get("row_factory"):
            self.row_factory = row_factory
        self.cursor_factory = noting(options.get("cursor_factory") or self.cursor_factory)
        self.server_cursor_factory = noting(self.server_cursor_factory)
        if context := options.get("context"):
            self._adapters = psycopg.adapt.AdaptersMap(context.adapters)

    def die(self) -> None:
        """End: the block is over."""
        pgconn, self.pgconn = self.pgconn, _finished()
        pgconn.notice_handler = pgconn.notify_handler = None
        self._session = None
        self._closed = True

    def notes(self, text: bytes | None) -> None:
        """Tell the session what is about to be sent."""
        if self._session is not None:
            self._session.sends(text)

    def cancel(self) -> None:
        """Do as `cancel_safe` does: libpq's older way waits without a limit, and stops every thread."""
        if self._session is None:
            return
        if capabilities.has_cancel_safe():
            psycopg.Connection.cancel_safe(self, timeout=self._seconds_to_cancel(self._session, CANCEL_SECONDS))
        else:
            super().cancel()

    @staticmethod
    def _seconds_to_cancel(session: PostgreSqlSession, timeout: float) -> float:
        # psycopg takes 0 for no limit
        return max(0.001, session.seconds_left(timeout or None))

    def _exec_command(self, command: Any, result_format: Format = Format.TEXT) -> Generator[Any, Any, PGresult | None]:
        if isinstance(command, Composable):
            command = command.as_bytes(self)
        elif isinstance(command, str):
            command = command.encode()
        session = self._lender()
        if session.ends_unsent(command):
            return None
        session.sends(command)
        if not command.startswith(b"BEGIN"):
            return (yield from super()._exec_command(command, result_format))
        limits = session.limits_of_transaction()
        if self._pipeline:
            for one in (command, *limits):
                yield from super()._exec_command(one, result_format)
            return None
        self._check_connection_ok()
        # one message, which psycopg's own doesn't allow
        self.pgconn.send_query(b"; ".join((command, *limits)))
        results = yield from generators.execute(self.pgconn)
        for result in results:
            check(result, self.pgconn._encoding)
        return results[0]

    def _lender(self) -> PostgreSqlSession:
        if self._session is None:
            raise psycopg.OperationalError("the connection is closed")
        return self._session

    def _check_intrans_gen(self, attribute: str) -> Generator[Any, Any, None]:
        if self._session is None or not self._session.is_cut_off:
            yield from super()._check_intrans_gen(attribute)

    def _is_over(self, session: PostgreSqlSession) -> bool:
        return session.deadline.remaining() <= 0 and self.pgconn.transaction_status != TransactionStatus.ACTIVE

    def _unsent(self, session: PostgreSqlSession, gen: Generator[Any, Any, Result]) -> Result:
        """Send nothing for whose answer nobody would wait: a transaction ends with the connection."""
        error = session.ended(": not sent, since the invocation's time is over")
        try:
            next(gen)
        except StopIteration as end:
            return end.value
        except psycopg.Error:
            pass
        return self._fail(session, error, gen)

    def _fail(
        self,
        session: PostgreSqlSession,
        error: BaseException,
        gen: Generator[Any, Any, Any] | None = None,
        timeout: float | None = None,
    ) -> NoReturn:
        """Note what ended an exchange, and raise it as what the block is to see."""
        if isinstance(error, _WaitTimeout):
            if timeout is not None and session.deadline.remaining() > 0:
                # the caller's own timeout: of notifies()
                raise error
            error = session.ended(" did not answer before the invocation's deadline")
            error.__suppress_context__ = True
        elif not isinstance(error, psycopg.Error) and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            # interrupted within an exchange: what was under way is dropped, not repaired
            self.pgconn.finish()
        if gen is not None and self.pgconn.status != ConnStatus.OK:
            # a pipeline's, left to the garbage collector, would say on stderr that it can't end
            with suppress(psycopg.Error):
                gen.close()
        session.answered(error)
        if session.outcome is Outcome.UNKNOWN and isinstance(error, psycopg.Error):
            error.args = (f"{error}; {UNKNOWN}", *error.args[1:])
        raise error


class Handle(Lent, psycopg.Connection[Any]):
    """psycopg's Connection, lent for a block."""

    __module__ = "psycopg"
    _Lock = BoundedLock

    def wait(
        self,
        gen: Generator[Any, Any, Result],
        interval: float = INTERVAL_SECONDS,
        timeout: float | None = None,
    ) -> Result:
        """Run an exchange until the deadline."""
        session = self._lender()
        if self._is_over(session):
            return self._unsent(session, gen)
        if session.is_stale():
            now(session.refresh())
        try:
            result = waiting.wait(gen, self.pgconn.socket, interval=interval, timeout=session.seconds_left(timeout))
        except BaseException as error:
            self._fail(session, error, gen, timeout)
        session.answered(None)
        return result

    def close(self) -> None:
        """End the block's session, or give it back where it was lent to a pool."""
        closed, self._closed_by_block = self._closed_by_block, None
        if closed is not None:
            closed()
        else:
            super().close()

    def cancel_safe(self, *, timeout: float = CANCEL_SECONDS) -> None:
        """Ask the server to end the statement, until the deadline."""
        if self._session is not None:
            super().cancel_safe(timeout=self._seconds_to_cancel(self._session, timeout))


class AsyncHandle(Lent, psycopg.AsyncConnection[Any]):  # pyrefly: ignore
    """psycopg's AsyncConnection, lent for a block."""

    __module__ = "psycopg"
    _Lock = AsyncBoundedLock

    async def wait(  # pyrefly: ignore
        self,
        gen: Generator[Any, Any, Result],
        interval: float = INTERVAL_SECONDS,
        timeout: float | None = None,
    ) -> Result:
        """Run an exchange until the deadline."""
        session = self._lender()
        if self._is_over(session):
            return self._unsent(session, gen)
        if session.is_stale():
            await session.refresh()
        try:
            result = await waiting.wait_async(
                gen, self.pgconn.socket, interval=interval, timeout=session.seconds_left(timeout)
            )
        except BaseException as error:
            self._fail(session, error, gen, timeout)
        session.answered(None)
        return result

    async def close(self) -> None:  # pyrefly: ignore
        """End the block's session, or give it back where it was lent to a pool."""
        closed, self._closed_by_block = self._closed_by_block, None
        if closed is not None:
            closed()
        else:
            await psycopg.AsyncConnection.close(self)

    async def cancel_safe(self, *, timeout: float = CANCEL_SECONDS) -> None:  # pyrefly: ignore
        """Ask the server to end the statement, until the deadline."""
        if self._session is not None:
            seconds = self._seconds_to_cancel(self._session, timeout)
            await psycopg.AsyncConnection.cancel_safe(self, timeout=seconds)
