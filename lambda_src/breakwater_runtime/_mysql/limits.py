"""The server's own timeouts, which follow the block's deadline: so that what a killed environment left behind ends."""

from __future__ import annotations

from math import inf
from time import monotonic

# A session between two blocks; the slot of an account at MAX_USER_CONNECTIONS is free after so long
IDLE_SECONDS = 20
# how much longer than the block the server lets its session idle
_GRACE_SECONDS = 3
# A statement that begins later gets new limits once those that were sent are so far off: less than the margin
# (deadline.MARGIN_SECONDS), so that it ends before the environment is killed
_TOLERANCE_SECONDS = 0.4


class Limits:
    """The timeouts of one session.

    Parameters
    ----------
    mariadb
        MariaDB bounds every statement (`max_statement_time`), MySQL SELECT alone (`max_execution_time`).

    Attributes
    ----------
    mariadb
        The server is a MariaDB.
    names
        The variables, in the order of `own`.
    users_own
        The block has set a timeout itself: it stays.
    """

    def __init__(self, *, mariadb: bool) -> None:
        self.mariadb = mariadb
        self._statement = b"max_statement_time" if mariadb else b"max_execution_time"
        self._in_seconds = 1.0 if mariadb else 1000.0
        self.names = (b"innodb_lock_wait_timeout", b"lock_wait_timeout", self._statement)
        self._own = [inf, inf, inf]
        self._known = False
        self.ends_at = self._sent = 0.0
        self.users_own = False

    @property
    def is_over(self) -> bool:
        """Whether nobody would wait for an answer any more."""
        return 0 < self.ends_at <= monotonic()

    def read(self, values: tuple[float, ...] | None) -> None:
        """Note the session's own values, which are never loosened; None: the server lacks one of the variables."""
        self._known = values is not None
        if values is not None:
            self._own = [float(value) or inf for value in values]

    def begin(self, now: float, ends_at: float) -> bytes:
        """Return the assignments for a block that ends then."""
        self.ends_at = ends_at
        self.users_own = False
        return self._assignments(now)

    def tightened(self, now: float) -> bytes | None:
        """Return the statement that has to come before another, None if what was sent still holds."""
        if self.users_own or self._sent - (self.ends_at - now) < _TOLERANCE_SECONDS:
            return None
        return b"SET " + self._assignments(now)

    def _assignments(self, now: float) -> bytes:
        left = self._sent = max(self.ends_at - now, 0.1)
        wait = b"SESSION wait_timeout=%d" % (left + _GRACE_SECONDS + 1)
        if not self._known:
            return wait
        row, table, statement = self._own
        bound = min(left, statement / self._in_seconds)
        value = b"%.3f" % bound if self._in_seconds == 1 else b"%d" % (bound * 1000)
        return b"%s, SESSION innodb_lock_wait_timeout=%d, SESSION lock_wait_timeout=%d, SESSION %s=%s" % (
            wait,
            max(1, min(left, row)),
            max(1, min(left, table)),
            self._statement,
            value,
        )
