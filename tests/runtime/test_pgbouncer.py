"""PgBouncer: a pooler that forwards few startup parameters, and gives each transaction another session."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from servers import PgBouncer, PostgreSqlServer
from servers.sql import execute, rows, session

import breakwater_runtime as breakwater
from tests.runtime.lambda_context import Context
from tests.runtime.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pgbouncer(postgresql: PostgreSqlServer) -> Iterator[PgBouncer]:
    with PgBouncer(postgresql) as server:
        yield server


POOLED: dict[str, dict[str, Any]] = {
    "by transactions": {"proxy": True},
    "by sessions": {"database": "by_session"},
    "by sessions, as a proxy": {"database": "by_session", "proxy": True},
}


@pytest.mark.parametrize("how", POOLED)
def test_blocks_are_transactions(postgresql: PostgreSqlServer, pgbouncer: PgBouncer, how: str) -> None:
    """Five environments before two sessions; the same statement more often than psycopg prepares it."""
    with breakwater.database(**postgresql.settings).connection(Context(20)) as connection:
        execute(connection, "DROP TABLE IF EXISTS pooled", "CREATE TABLE pooled (id INT, half INT)")
    errors: list[BaseException] = []

    def invoke(environment: int) -> None:
        database = breakwater.database(**pgbouncer.settings | POOLED[how])
        try:
            for number in range(12):
                one = environment * 100 + number
                with database.connection(Context(30)) as connection:
                    connection.execute("INSERT INTO pooled VALUES (%s, 1)", (one,))
                    connection.execute("INSERT INTO pooled VALUES (%s, 2)", (one,))
                with suppress(ZeroDivisionError), database.connection(Context(30)) as connection:
                    connection.execute("INSERT INTO pooled VALUES (%s, 3)", (one,))
                    raise ZeroDivisionError
        except BaseException as error:
            errors.append(error)
        finally:
            database.close()

    # a session of PgBouncer's is one environment's until it closes
    environments = 5 if how == "by transactions" else 2
    threads = [threading.Thread(target=invoke, args=(environment,)) for environment in range(environments)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    with breakwater.database(**postgresql.settings).connection(Context(20)) as admin:
        assert rows(admin, "SELECT half, count(*) FROM pooled GROUP BY half ORDER BY half") == [
            (1, 12 * environments),
            (2, 12 * environments),
        ]


def test_the_session_behind_it_may_end(postgresql: PostgreSqlServer, pgbouncer: PgBouncer) -> None:
    database = breakwater.database(**pgbouncer.settings, proxy=True)
    with database.connection(Context(20)) as connection:
        first = session(postgresql, connection)
    with postgresql.admin() as admin:
        execute(admin, f"SELECT pg_terminate_backend({first})")
    wait_until(lambda: first not in _backends(postgresql))
    assert database.run(lambda connection: session(postgresql, connection), Context(20)) != first
    database.close()


def _backends(postgresql: PostgreSqlServer) -> list[int]:
    with postgresql.admin() as admin:
        return [pid for (pid,) in rows(admin, "SELECT pid FROM pg_stat_activity")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"database": "nowhere"}, "no such database"),
        ({"options": "-c timezone=UTC"}, "unsupported startup parameter"),
        ({"password": "wrong"}, "authentication failed"),
    ],
)
def test_what_does_not_pass_is_raised_at_once(pgbouncer: PgBouncer, wrong: dict[str, Any], said: str) -> None:
    began = time.monotonic()
    with (
        pytest.raises(psycopg.OperationalError, match=said),
        breakwater.database(**pgbouncer.settings | wrong).connection(Context(30)),
    ):
        pass
    assert time.monotonic() - began < 10
