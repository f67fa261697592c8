"""The few statements that differ between the engines, for the tests."""

# ruff: noqa: S608 -- the statements are made of numbers that the server gave

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from servers import MariaDbServer, PostgreSqlServer

import breakwater_runtime as breakwater
from breakwater_runtime._core.session import now
from tests.runtime.lambda_context import Context

if TYPE_CHECKING:
    from collections.abc import Callable

SqlServer = MariaDbServer | PostgreSqlServer


def rows(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def execute(connection: Any, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def session(server: SqlServer, connection: Any) -> int:
    statement = "SELECT CONNECTION_ID()" if isinstance(server, MariaDbServer) else "SELECT pg_backend_pid()"
    return rows(connection, statement)[0][0]


def end_session(server: SqlServer, session_id: int) -> None:
    statement = (
        f"KILL {session_id}" if isinstance(server, MariaDbServer) else f"SELECT pg_terminate_backend({session_id})"
    )
    with server.admin() as admin:
        execute(admin, statement)
        # both statements return before the session is gone
        while _is_alive(server, admin, session_id):
            sleep(0.005)


def is_alive(server: SqlServer, session_id: int) -> bool:
    with server.admin() as admin:
        return _is_alive(server, admin, session_id)


def _is_alive(server: SqlServer, admin: Any, session_id: int) -> bool:
    question = (
        f"SELECT COUNT(*) FROM information_schema.processlist WHERE id = {session_id}"
        if isinstance(server, MariaDbServer)
        else f"SELECT count(*) FROM pg_stat_activity WHERE pid = {session_id}"
    )
    return bool(rows(admin, question)[0][0])


def sleep_statement(server: SqlServer, seconds: float) -> str:
    return f"SELECT SLEEP({seconds})" if isinstance(server, MariaDbServer) else f"SELECT pg_sleep({seconds})"


def hunt(database: breakwater.Database, idle_seconds: int) -> int:
    """Have an environment end the sessions of others, whether the server is full or not; return how many."""
    with database.connection(Context(20)):
        hunting = database._keeper.session
        assert hunting is not None
        return now(hunting.hunt(idle_seconds))


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that comes true by itself."""
    ends = monotonic() + seconds
    while not true():
        assert monotonic() < ends, f"not within {seconds} s"
        sleep(0.02)
