"""The few statements that differ between the engines."""

# ruff: noqa: S608 -- the statements are made of numbers that the server gave

from __future__ import annotations

from time import sleep
from typing import Any

from servers.mariadb import MariaDbServer
from servers.postgresql import PostgreSqlServer

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
