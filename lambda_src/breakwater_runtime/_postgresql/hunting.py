"""Which sessions on a PostgreSQL server belong to frozen environments, and how none is ended that wakes up.

The runtime's sessions carry its name as `application_name`, and the pulse (pulse.py) keeps them from looking idle
within an invocation. Whoever wants to end one takes an advisory lock on its process first, looks again, and only then
ends it; an environment that comes back after a pause asks whether that lock is free before it sends anything else.
A session within a transaction is never ended. A role may end its own sessions without any privilege.
"""

# ruff: noqa: S608 -- the statements are made of numbers that the server gave

from __future__ import annotations

from typing import TYPE_CHECKING

from breakwater_runtime._postgresql.exchange import exchange

if TYPE_CHECKING:
    from breakwater_runtime._postgresql.driver import PulsedConnection

MARK = "breakwater"
# the first half of the advisory locks' key ("BWKR"); advisory locks belong to one database
_KEY = 0x42574B52

IS_SPARED = b"SELECT pg_try_advisory_xact_lock_shared(%d, pg_backend_pid())" % _KEY

_IDLE = """
    SELECT pid FROM pg_stat_activity
    WHERE usename = session_user AND datname = current_database() AND application_name = '{mark}'
    AND state = 'idle' AND state_change < clock_timestamp() - interval '{idle_seconds:d} s'
    AND pid <> pg_backend_pid()
"""
# materialized, so that the lock is tried on those sessions alone
_CLAIM = f"WITH idle AS MATERIALIZED ({_IDLE}) SELECT pid FROM idle WHERE pg_try_advisory_lock({_KEY}, pid)"
_END = (
    f"WITH idle AS MATERIALIZED ({_IDLE} AND pid IN ({{pids}})) "
    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM idle"
)


def connections_on_server(connection: PulsedConnection, max_connections: int | None) -> tuple[int, int]:
    """Count everybody's connections; any user may."""
    count, limit = _rows(
        connection, "SELECT sum(numbackends), current_setting('max_connections') FROM pg_stat_database"
    )[0]
    return int(count), max_connections or int(limit)


def end(connection: PulsedConnection, idle_seconds: int) -> int:
    """End the zombies of the connection's own user; return how many."""
    rows = _rows(connection, _CLAIM.format(mark=MARK, idle_seconds=idle_seconds))
    if not rows:
        return 0
    pids = ", ".join(pid.decode() for (pid,) in rows)
    try:
        return int(_rows(connection, _END.format(mark=MARK, idle_seconds=idle_seconds, pids=pids))[0][0])
    finally:
        _rows(connection, "SELECT pg_advisory_unlock_all()")


def _rows(connection: PulsedConnection, statement: str) -> list[tuple[bytes, ...]]:
    result = exchange(connection, statement.encode())[-1]
    return [
        tuple(result.get_value(row, column) or b"" for column in range(result.nfields)) for row in range(result.ntuples)
    ]
