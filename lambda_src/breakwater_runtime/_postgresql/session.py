"""A session on a PostgreSQL server: a libpq connection, around which each block gets a Connection of its own."""

from __future__ import annotations

import re
import weakref
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import generators
from psycopg._preparing import PrepareManager
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS
from breakwater_runtime._core.outcome import Outcome
from breakwater_runtime._core.session import Session, too_late
from breakwater_runtime._core.trouble import Trouble
from breakwater_runtime._postgresql import claims
from breakwater_runtime._postgresql.errors import trouble_of
from breakwater_runtime._postgresql.ledger import Ledger
from breakwater_runtime._postgresql.messages import UNKNOWN, Limits, limit_session
from breakwater_runtime._postgresql.wire import Wire, check, first_result
from breakwater_runtime.errors import OutcomeUnknown, TransactionAborted

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.pq.abc import PGconn, PGresult

    from breakwater_runtime._postgresql.adapter import PostgreSqlAdapter
    from breakwater_runtime._postgresql.handle import Lent
    from breakwater_runtime.deadline import Deadline

_ABORTED = (
    "A statement had failed, its error was caught within the block, and PostgreSQL commits nothing of such a "
    "transaction: it was rolled back. Let the error out of the block, or put the statement that may fail into "
    "`with connection.transaction():` (SQLAlchemy: `begin_nested()`)."
)
_CLOSED = "The block's connection was closed before its transaction was committed: it was rolled back."
_IN_COPY = "The block ended within a COPY, a pipeline or a statement: its transaction is rolled back."
# what psycopg says by itself at a transaction's end
_ENDING = (b"COMMIT", b"ROLLBACK", b"DEALLOCATE ALL")
_REMEMBERED_ERRORS = 8
_SQL_PREPARE = re.compile(rb"\bprepare\b", re.IGNORECASE)
_OWN_LIMITS = re.compile(rb"timeout", re.IGNORECASE)


class PostgreSqlSession(Wire, Session):
    """One libpq connection, and what its blocks have done."""

    def __init__(self, adapter: PostgreSqlAdapter, pgconn: PGconn, where: str, connected_in: float) -> None:
        super().__init__(adapter, pgconn, where, connected_in)
        self._connected_in = connected_in
        self.prepared = PrepareManager()
        self._settings = adapter.settings
        self._autocommit = adapter.autocommit
        self._limits = Limits([])
        self._handle: Callable[[], Lent | None] = _no_handle
        self._is_of_use = True
        self._touched = False
        self._sql_prepared = False
        self._own_limits = False
        self._errors: deque[BaseException] = deque(maxlen=_REMEMBERED_ERRORS)
        self._ledger = Ledger(pgconn)

    @property
    def outcome(self) -> Outcome:  # pyrefly: ignore
        return self._ledger.outcome

    @property
    def could_lose(self) -> bool:
        return self._ledger.could_lose

    # Opening

    async def settle(self, deadline: Deadline) -> None:
        """Bound the new session on the server's side, and learn what the server can bound."""
        self.deadline = deadline
        if self._settings.proxy:
            return
        began = monotonic()
        try:
            rows = await self._rows(limit_session(self._settings, autocommit=self._autocommit), deadline.remaining())
        except psycopg.Error:
            if self.pgconn.status != ConnStatus.OK:
                raise
            # PostgreSQL's protocol, and not its catalogues
            return
        self._limits = Limits(rows)
        # the quicker of both: what a process that stood still has measured is not the server's time
        self._be_patient(min(self._connected_in, monotonic() - began))

    # A block

    async def begin(self, deadline: Deadline, pause: float) -> bool:
        self.deadline = deadline
        try:
            if self._posted_at is not None:
                await self._read_posted()
            if not self._is_idle():
                return False
            return pause < CHECK_AFTER_SECONDS or await self._is_spared()
        except psycopg.Error:
            return False

    def lend(self, closed: Callable[[], None] | None = None) -> Any:
        while self.pgconn.notifies():
            # for an earlier block
            pass
        self._ledger = Ledger(self.pgconn)
        self._touched = self._sql_prepared = self._own_limits = False
        self._errors.clear()
        adapter = self._adapter
        handle = adapter.handle_class(self.pgconn)
        handle.lend(self, adapter.handle_options, closed)
        # a pool that loses its handle must not keep the environment's one connection for ever
        self._handle = weakref.ref(handle) if closed else lambda: handle
        return handle

    async def commit(self) -> None:
        self._ledger.answered(failed=False)
        if self.pgconn.status != ConnStatus.OK:
            if self.outcome is Outcome.UNKNOWN:
                raise OutcomeUnknown(f"postgresql at {self.where}: the connection was lost within the block; {UNKNOWN}")
            if self.could_lose:
                raise too_late(self.outcome) if self.deadline.remaining() <= 0 else TransactionAborted(_CLOSED)
            return
        await self._finish_reading()
        status = self.pgconn.transaction_status
        if status == TransactionStatus.INERROR:
            await self.rollback()
            raise TransactionAborted(_ABORTED)
        if status == TransactionStatus.INTRANS:
            await self._commit()

    async def _commit(self) -> None:
        if self.deadline.remaining() <= 0:
            await self.roll_back_unsent()
            return
        self._ledger.sends(b"COMMIT")
        try:
            if self._cleans:
                self._post(b"COMMIT; " + self._cleaning())
                result = await self._within(first_result(self.pgconn), self.deadline.remaining())
            else:
                self.pgconn.send_query(b"COMMIT")
                result = (await self._within(generators.execute(self.pgconn), self.deadline.remaining()))[0]
            check(result)
        except BaseException as error:
            if isinstance(error, psycopg.Error):
                self._errors.append(error)
                if error.sqlstate is not None and trouble_of(error) is not Trouble.LOST:
                    # the server's own answer: rolled back, and the rest of the message was not run
                    await self._within(generators.fetch_many(self.pgconn), self._patience)
                    self._posted_at, self._touched = None, True
                    raise
            self._ledger.lost()
            self.shut()
            raise
        if result.command_status == b"ROLLBACK":
            raise TransactionAborted(_ABORTED)
        self._ledger.outcome = Outcome.APPLIED
        self._touched = False

    async def rollback(self) -> None:
        status = self.pgconn.transaction_status
        if status not in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            return
        if self._cleans:
            self._post(b"ROLLBACK; " + self._cleaning())
        else:
            self._post(b"ROLLBACK")
        self._touched = False

    def take_back(self) -> bool:
        self._bury()
        pgconn = self.pgconn
        if pgconn.status != ConnStatus.OK or not self._is_of_use:
            return False
        try:
            if self._posted_at is None:
                if pgconn.transaction_status != TransactionStatus.IDLE:
                    return False
                if not self._cleans:
                    return True
                if self._touched:
                    self._post(self._cleaning())
                elif not self.looks_idle:
                    self._post(b"")
        except psycopg.Error:
            return False
        return True

    def errors(self) -> deque[BaseException]:
        return self._errors

    def shut(self) -> None:
        self._bury()
        self.pgconn.finish()

    def _bury(self) -> None:
        handle, self._handle = self._handle(), _no_handle
        if handle is not None:
            handle.die()

    # What the handle calls

    def sends(self, text: bytes | None) -> None:
        """Note a message of the block's own."""
        self._ledger.sends(text)
        if text is None or _SQL_PREPARE.search(text):
            self._sql_prepared = True
        if text is None or _OWN_LIMITS.search(text):
            self._own_limits = True

    @property
    def is_cut_off(self) -> bool:
        """Whether the connection is closed, since the time is over."""
        return self.pgconn.status != ConnStatus.OK and self.deadline.remaining() <= 0

    def ends_unsent(self, command: bytes) -> bool:
        """Once the time is over, tell whether a command of the driver's own has been done by closing the connection.

        Raises
        ------
        TransactionAborted
            It is COMMIT, and would have kept something.
        """
        if not self.is_cut_off:
            return False
        if command == b"COMMIT" and self.could_lose:
            raise too_late(self.outcome)
        if command == b"ROLLBACK":
            self._ledger.unsaved = False
        return command in _ENDING

    def limits_of_transaction(self) -> list[bytes]:
        """Return what follows BEGIN, nothing once the block has set such limits by itself."""
        return [] if self._own_limits else self._limits.of_transaction(self.deadline)

    def seconds_left(self, timeout: float | None) -> float:
        """Return how long the handle may wait, and that it does."""
        self._touched = True
        left = max(0.0, self.deadline.remaining())
        return left if timeout is None else min(timeout, left)

    def is_stale(self) -> bool:
        """Tell whether a block that has sent nothing yet may have been taken for a frozen one."""
        return self.looks_idle and monotonic() - self.contact >= CHECK_AFTER_SECONDS

    async def refresh(self) -> None:
        """Before the first message of such a block: ask, and replace the session if it is gone."""
        try:
            if await self._is_spared():
                return
        except psycopg.Error:
            pass
        self.looks_idle = False
        self.prepared.clear()
        self.prepared._to_flush.clear()
        await self._reopen()
        await self.settle(self.deadline)

    def answered(self, error: BaseException | None) -> None:
        """Note how an exchange of the handle's has ended."""
        self.contact = monotonic()
        self.looks_idle = False
        if error is None:
            self._ledger.answered(failed=False)
            if self._ledger.rolled_back:
                raise TransactionAborted(_ABORTED)
            return
        self._errors.append(error)
        if trouble_of(error) is Trouble.STALE:
            self._is_of_use = False
        if self.pgconn.status == ConnStatus.OK and trouble_of(error) not in (Trouble.LOST, Trouble.PASSING):
            self._ledger.answered(failed=True)
        else:
            self._ledger.lost()

    def ended(self, why: str) -> psycopg.OperationalError:
        """End the connection, and return the error that says why."""
        self.pgconn.finish()
        return psycopg.OperationalError(f"postgresql at {self.where}{why}; the connection is closed")

    # The server

    async def usage(self) -> tuple[int, int]:
        count, limit = (await self._asked(claims.USAGE))[0]
        return int(count), self._settings.max_connections or int(limit)

    async def hunt(self, idle_seconds: int) -> int:
        return await claims.end(self._asked, idle_seconds)

    async def _is_spared(self) -> bool:
        if self._settings.proxy:
            await self._asked(b"")
            return True
        return await self._asked(claims.IS_SPARED) == [("t",)]

    async def _asked(self, statement: bytes) -> list[tuple[str, ...]]:
        return await self._rows(statement, min(self._patience, self.deadline.remaining()))

    def _cleaning(self) -> bytes:
        text = self._limits.cleaning
        if self._sql_prepared:
            # psycopg's own with them
            self.prepared.clear()
            self.prepared._to_flush.clear()
            text += b"; DEALLOCATE ALL"
        return text

    async def _finish_reading(self) -> None:
        """Read off what a stream that was left early still sends."""
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        results: list[PGresult] = []
        try:
            results = await self._within(generators.fetch_many(self.pgconn), self.deadline.remaining())
        except psycopg.Error as error:
            if self.pgconn.status != ConnStatus.OK:
                self.answered(error)
                raise
        copying = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH, ExecStatus.PIPELINE_SYNC)
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE or any(one.status in copying for one in results):
            self._ledger.lost()
            self.shut()
            raise TransactionAborted(_IN_COPY)


def _no_handle() -> None:
    return None
