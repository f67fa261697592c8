"""Whether `run()` may call its work again, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breakwater_runtime._core.outcome import Outcome
from breakwater_runtime._core.trouble import Trouble
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.errors import ConfigurationError, OutcomeUnknown
from breakwater_runtime.retry import BASE_SECONDS, CAP_SECONDS, jitter

if TYPE_CHECKING:
    from breakwater_runtime._core.keeper import Keeper
    from breakwater_runtime._core.lease import Lease

# A session that is lost may have been lost to the statement itself: one that crashes its server, or is too long for it.
LOST_REPEATS = 2
# Conflicts are ordinary where many write the same rows, and the rule on Aurora DSQL; a constant one is a fault.
CONFLICT_REPEATS = 9


class Repetition:
    """The repeats of one `run()`.

    Raises
    ------
    ConfigurationError
        The work may write, and each of its statements is a transaction of its own.
    """

    def __init__(self, keeper: Keeper, context: object | None, *, read_only: bool) -> None:
        if keeper.adapter.autocommit and not read_only:
            raise ConfigurationError(
                "run() repeats the work, and with autocommit=True a repeated write would be written twice. "
                "Use autocommit=False, or read_only=True for work that writes nothing."
            )
        self._keeper = keeper
        self._deadline = Deadline(context, keeper.settings.function_timeout)
        self._read_only = read_only
        self._left = {
            Trouble.LOST: LOST_REPEATS,
            Trouble.PASSING: LOST_REPEATS,
            Trouble.STALE: LOST_REPEATS,
            Trouble.CONFLICT: CONFLICT_REPEATS,
        }
        self._pause = BASE_SECONDS
        self._lost_write: bytes | None = None
        self._error: Exception | None = None

    async def begin(self, lease: Lease[Any]) -> None:
        """Before each call: see to it that a write that was lost has been rolled back with its session.

        Raises
        ------
        OutcomeUnknown
            It may have gone to a table without transactions.
        """
        text, session = self._lost_write, lease.session
        if text is not None and session is not None and await session.writes_at_once(text):
            raise OutcomeUnknown(
                f"{self._keeper.target}: the connection was lost before the answer came, and the statement writes to a "
                f"table without transactions, so it is unknown whether it was applied; not repeated: {self._error}"
            ) from self._error
        self._lost_write = None

    def pause_after(self, lease: Lease[Any], error: Exception) -> float | None:
        """Return the seconds until the next call, None if the error is to be raised."""
        session = lease.session
        if session is None or not (self._read_only or session.outcome is Outcome.OPEN):
            return None
        trouble = self._keeper.failure(session, error)
        if trouble is None or not self._left.get(trouble):
            return None
        self._left[trouble] -= 1
        if not self._read_only and session.lost_write is not None:
            self._lost_write, self._error = session.lost_write, error
        self._pause = min(CAP_SECONDS, jitter(BASE_SECONDS, self._pause * 3))
        if self._deadline.remaining() <= self._pause:
            return None
        self._keeper.counters.waits += 1
        return self._pause
