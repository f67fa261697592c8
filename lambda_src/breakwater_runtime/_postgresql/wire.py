"""What is sent to a PostgreSQL server and read from it, over one libpq connection; psycopg's generators do the work."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import generators
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, PollingStatus, TransactionStatus
from psycopg.waiting import Wait

from breakwater_runtime._core.liveness import CHECK_TIMEOUT_SECONDS, readable
from breakwater_runtime._postgresql.messages import IDLE_MARK

if TYPE_CHECKING:
    from collections.abc import Generator

    from psycopg.pq.abc import PGconn, PGresult

    from breakwater_runtime._postgresql.adapter import PostgreSqlAdapter
    from breakwater_runtime.deadline import Deadline

    Result = TypeVar("Result")

_MAX_UNSOLICITED_READS = 100


class Wire:
    """One libpq connection.

    Attributes
    ----------
    pgconn
        The connection itself.
    where
        "host:port", for messages.
    contact
        Since when the server may have seen the connection idle.
    looks_idle
        Whether pg_stat_activity shows the mark.
    deadline
        Of the block.
    """

    deadline: Deadline

    def __init__(self, adapter: PostgreSqlAdapter, pgconn: PGconn, where: str, connected_in: float) -> None:
        self._adapter = adapter
        self.pgconn = pgconn
        self.where = where
        self.contact = monotonic()
        self.looks_idle = False
        self._cleans = not adapter.settings.proxy
        self._patience = CHECK_TIMEOUT_SECONDS
        self._be_patient(connected_in)
        self._posted_at: float | None = None

    def _be_patient(self, took: float) -> None:
        """Note how long the server took: a slow one isn't dead, where a look or a rest of an answer is waited for."""
        self._patience = max(CHECK_TIMEOUT_SECONDS, 3 * took)

    async def _rows(self, statement: bytes, seconds: float) -> list[tuple[str, ...]]:
        self.pgconn.send_query(statement)
        results = await self._results(seconds)
        result = results[-1]
        return [
            tuple((result.get_value(row, column) or b"").decode() for column in range(result.nfields))
            for row in range(result.ntuples)
        ]

    async def _results(self, seconds: float) -> list[PGresult]:
        self.looks_idle = False
        results = await self._within(generators.execute(self.pgconn), seconds)
        self.contact = monotonic()
        for result in results:
            check(result)
        return results

    async def _within(self, generator: Generator[Any, Any, Result], seconds: float) -> Result:
        seconds = max(0.0, seconds)
        try:
            return await self._adapter.wait(generator, self.pgconn.socket, seconds)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"postgresql at {self.where} did not answer within {seconds:.1f} s"
            ) from None
        except psycopg.Error:
            raise
        except BaseException:
            # interrupted within an exchange
            self.pgconn.finish()
            raise

    def _post(self, text: bytes) -> None:
        """Send a block's last message; its answer is read by the next one."""
        self._posted_at = monotonic()
        self.pgconn.send_query(IDLE_MARK + text if self._cleans else text)
        self.pgconn.flush()
        self.looks_idle = self._cleans

    async def _read_posted(self) -> None:
        posted_at = self._posted_at or 0.0
        seconds = 0.05
        if not readable(self.pgconn.socket):
            seconds = max(seconds, posted_at + self._patience - monotonic())
        looks_idle = self.looks_idle
        await self._results(min(seconds, self.deadline.remaining()))
        self._posted_at = None
        self.looks_idle = looks_idle
        if looks_idle:
            # the answer is read now, but the server has seen the mark since then
            self.contact = posted_at

    async def _reopen(self) -> None:
        """Replace the session behind the same libpq connection, so that the block's cursors stay valid."""
        seconds = max(0.0, self.deadline.remaining())
        try:
            await self._adapter.wait_to_connect(_reset(self.pgconn), seconds)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"connection failed: postgresql at {self.where} did not answer within {seconds:.1f} s"
            ) from None

    def _is_idle(self) -> bool:
        """Tell whether the connection lives and waits for a statement."""
        pgconn = self.pgconn
        for _ in range(_MAX_UNSOLICITED_READS):
            if pgconn.status != ConnStatus.OK:
                return False
            if not readable(pgconn.socket):
                return pgconn.transaction_status == TransactionStatus.IDLE
            # a notification, a notice, or a farewell
            pgconn.consume_input()
        return False


def first_result(pgconn: PGconn) -> Generator[Any, Any, PGresult]:
    yield from generators.send(pgconn)
    result = yield from generators.fetch(pgconn)
    if result is None:
        raise psycopg.OperationalError("the connection ended without an answer")
    return result


def _reset(pgconn: PGconn) -> Generator[Any, Any, None]:
    pgconn.reset_start()
    while (status := pgconn.reset_poll()) != PollingStatus.OK:
        if status == PollingStatus.FAILED:
            raise psycopg.OperationalError(f"connection failed: {pgconn.get_error_message()}")
        direction = Wait.R if status == PollingStatus.READING else Wait.W
        while not (yield pgconn.socket, direction):
            pass
    pgconn.nonblocking = 1


def check(result: PGresult, encoding: str = "utf-8") -> None:
    if result.status == ExecStatus.FATAL_ERROR:
        raise error_from_result(result, encoding)
