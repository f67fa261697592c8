"""Which sessions on a MySQL or MariaDB server belong to frozen environments, proven by the server's own named locks.

A session that the runtime keeps from looking idle within an invocation (pulse.py) holds the lock
`breakwater.<its id>`. If such a session looks idle nevertheless, it lies between invocations. Whoever wants to end it
takes the lock `breakwater.end.<its id>` first, looks again, and only then ends it; an environment that comes back
after a pause asks whether that lock is free before it sends anything else. So either the environment is seen awake,
or it sees that its session is being ended and opens another.

This needs no privilege. With PROCESS an administrator lets the runtime leave out sessions with an open transaction,
too: those of an environment that is so short of CPU that its pulse is late.
"""

# ruff: noqa: S608 -- the statements are made of numbers that the server gave

from __future__ import annotations

from typing import TYPE_CHECKING

from pymysql.err import Error, OperationalError

if TYPE_CHECKING:
    from breakwater_runtime._mysql.connection import PulsedConnection

MARK = "GET_LOCK(CONCAT('breakwater.', CONNECTION_ID()), 0)"

_IDLE = "command = 'Sleep' AND time >= {idle_seconds:d}"
_CLAIM = (
    "SELECT id FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AND "
    f"{_IDLE} AND id <> CONNECTION_ID() AND IS_USED_LOCK(CONCAT('breakwater.', id)) = id "
    "AND GET_LOCK(CONCAT('breakwater.end.', id), 0) = 1"
)
_STILL_IDLE = f"SELECT id FROM information_schema.processlist WHERE id IN ({{ids}}) AND {_IDLE}"
_NOT_IN_TRANSACTION = " AND id NOT IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"

_NO_SUCH_THREAD = 1094
_SPECIFIC_ACCESS_DENIED = 1227


def is_spared(connection: PulsedConnection) -> bool:
    """Ask whether nobody is ending this session."""
    rows = connection.rows("SELECT IS_FREE_LOCK(CONCAT('breakwater.end.', CONNECTION_ID()))")
    return rows[0][0] == 1


def connections_on_server(connection: PulsedConnection, max_connections: int | None) -> tuple[int, int]:
    """Count everybody's connections; any user may."""
    threads = int(connection.rows("SHOW GLOBAL STATUS LIKE 'Threads_connected'")[0][1])
    return threads, max_connections or int(connection.rows("SELECT @@GLOBAL.max_connections")[0][0])


def end(connection: PulsedConnection, idle_seconds: int) -> int:
    """End the zombies of the user of a connection that has just been cleaned; return how many."""
    claimed = [row[0] for row in connection.rows(_CLAIM.format(idle_seconds=idle_seconds))]
    connection.changed = False
    if not claimed:
        return 0
    try:
        return sum(_kill(connection, session) for session in _still_idle(connection, claimed, idle_seconds))
    finally:
        locks = ", ".join(f"RELEASE_LOCK('breakwater.end.{session:d}')" for session in claimed)
        connection.query(f"DO {locks}")
        connection.changed = False


def _kill(connection: PulsedConnection, session: int) -> bool:
    try:
        connection.query(f"KILL {session:d}")
    except Error as error:
        if error.args[0] != _NO_SUCH_THREAD:
            raise
        # the server's own timeout, or its environment, was quicker
        return False
    return True


def _still_idle(connection: PulsedConnection, sessions: list[int], idle_seconds: int) -> list[int]:
    statement = _STILL_IDLE.format(ids=", ".join(f"{session:d}" for session in sessions), idle_seconds=idle_seconds)
    try:
        rows = connection.rows(statement + _NOT_IN_TRANSACTION)
    except OperationalError as error:
        if error.args[0] != _SPECIFIC_ACCESS_DENIED:
            raise
        rows = connection.rows(statement)
    return [row[0] for row in rows]
