"""Which sessions on a PostgreSQL server belong to frozen environments, and how none is ended that wakes up.

A session is considered only while its last message is one that a block of the runtime has ended with (messages.py).
Whoever wants to end one takes an advisory lock on its process first, looks again, and only then ends it; an environment
that comes back after a pause asks whether that lock is free before it sends anything else, and what it asks replaces
the text. A role may end its own sessions without any privilege.
"""

# ruff: noqa: S608 -- the statements are made of numbers that the server gave

from __future__ import annotations

from typing import TYPE_CHECKING

from breakwater_runtime._postgresql.messages import IDLE_MARK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = list[tuple[str, ...]]

# the first half of the advisory locks' key ("BWKR"); advisory locks belong to one database
_KEY = 0x42574B52

IS_SPARED = b"SELECT pg_try_advisory_xact_lock_shared(%d, pg_backend_pid())" % _KEY
USAGE = b"SELECT coalesce(sum(numbackends), 0), current_setting('max_connections') FROM pg_stat_database"

_IDLE = """
    SELECT pid FROM pg_stat_activity
    WHERE usename = session_user AND datname = current_database() AND query LIKE '{mark}%'
    AND state = 'idle' AND state_change < clock_timestamp() - interval '{idle_seconds:d} s'
    AND pid <> pg_backend_pid()
"""
# materialized, so that the lock is tried on those sessions alone
_CLAIM = f"WITH idle AS MATERIALIZED ({_IDLE}) SELECT pid FROM idle WHERE pg_try_advisory_lock({_KEY}, pid)"
_END = (
    f"WITH idle AS MATERIALIZED ({_IDLE} AND pid IN ({{pids}})) "
    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM idle"
)


async def end(rows: Callable[[bytes], Awaitable[Rows]], idle_seconds: int) -> int:
    """End the zombies of the connection's own user; return how many.

    Parameters
    ----------
    rows
        Runs a statement in a transaction of its own: pg_stat_activity is one snapshot for a whole transaction.
    idle_seconds
        For how long they must have been idle.
    """
    mark = IDLE_MARK.decode()
    claimed = await rows(_CLAIM.format(mark=mark, idle_seconds=idle_seconds).encode())
    if not claimed:
        return 0
    pids = ", ".join(pid for (pid,) in claimed)
    try:
        ended = await rows(_END.format(mark=mark, idle_seconds=idle_seconds, pids=pids).encode())
        return int(ended[0][0])
    finally:
        await rows(b"SELECT pg_advisory_unlock_all()")
