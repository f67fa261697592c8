"""Sessions of frozen environments are ended when the server runs short; a live one never is."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

import breakwater_runtime as breakwater
from breakwater_runtime._core import server_pressure
from breakwater_runtime._core.session import Session
from breakwater_runtime._mysql import marks
from tests.runtime.environment_process import EnvironmentProcess
from tests.runtime.sql import Context, SqlServer, execute, hunt, rows, session, sleep_statement
from tests.servers import MariaDbServer, PostgreSqlServer

# what the runtime waits for, and a second more since MariaDB counts in whole seconds
UNTIL_IDLE = server_pressure.ZOMBIE_SECONDS + 1.2


def end_zombies(database: breakwater.Database) -> int:
    return hunt(database, server_pressure.ZOMBIE_SECONDS)


@pytest.fixture
def roomy(server: SqlServer) -> dict[str, Any]:
    """Settings with which nobody looks at the server by themselves."""
    return server.settings | {"max_connections": 1000}


def test_a_frozen_environment_loses_its_session_and_heals(server: SqlServer, roomy: dict[str, Any]) -> None:
    hunter = breakwater.database(**roomy)
    with EnvironmentProcess(roomy) as environment:
        assert environment.invoke("SELECT 1")["Connects"] == 1
        assert end_zombies(hunter) == 0  # not idle for long enough
        environment.freeze()
        time.sleep(UNTIL_IDLE)
        assert end_zombies(hunter) == 1
        environment.thaw()
        healed = environment.invoke("SELECT 1")
        assert (healed["Connects"], healed["Heals"]) == (2, 1)
    hunter.close()


def test_a_long_pause_within_a_block_is_no_end(server: SqlServer, roomy: dict[str, Any]) -> None:
    """What serverless-mysql does: kill a session idle in a transaction, whose rest then commits without its start."""
    hunter = breakwater.database(**roomy)
    database = breakwater.database(**roomy)
    with database.connection() as connection:
        execute(connection, "DROP TABLE IF EXISTS paused", "CREATE TABLE paused (id INT PRIMARY KEY)")
    for first, second in (
        ("INSERT INTO paused VALUES (1)", "INSERT INTO paused VALUES (2)"),
        ("SELECT 1", "INSERT INTO paused VALUES (3)"),
    ):
        with database.connection(Context(60)) as connection:
            before = session(server, connection)
            execute(connection, first)
            time.sleep(UNTIL_IDLE)
            assert end_zombies(hunter) == 0
            assert session(server, connection) == before
            execute(connection, second)
    with database.connection() as connection:
        assert rows(connection, "SELECT COUNT(*) FROM paused")[0][0] == 3
    database.close()
    hunter.close()


def test_a_running_statement_is_no_end(server: SqlServer, roomy: dict[str, Any]) -> None:
    hunter = breakwater.database(**roomy)
    with EnvironmentProcess(roomy) as environment:
        environment.begin(sleep_statement(server, UNTIL_IDLE), "SELECT 1")
        time.sleep(server_pressure.ZOMBIE_SECONDS + 0.5)
        assert end_zombies(hunter) == 0
        assert "error" not in environment.end()
    hunter.close()


def test_a_session_of_anything_else_is_left_alone(server: SqlServer) -> None:
    """The same user's, idle, but not the runtime's: an administrator at a prompt, another library."""
    hunter = breakwater.database(**server.settings)
    login = {name: server.settings[name] for name in ("host", "port", "user", "password")}
    if isinstance(server, MariaDbServer):
        import pymysql

        other = pymysql.connect(**login, database="shop", ssl_disabled=True)
    else:
        import psycopg

        other = psycopg.connect(**login, dbname="shop", autocommit=True)
    with contextlib.closing(other):
        session(server, other)
        time.sleep(UNTIL_IDLE)
        assert end_zombies(hunter) == 0
        session(server, other)
    hunter.close()


def test_an_environment_that_wakes_while_its_session_is_claimed_opens_another(
    server: SqlServer, roomy: dict[str, Any]
) -> None:
    """Between a hunter's claim and its KILL: the environment must not send a statement into the dying session."""
    database = breakwater.database(**roomy)
    with database.connection() as connection:
        before = session(server, connection)
    claim = (
        f"SELECT GET_LOCK('breakwater.end.{before}', 0)"
        if isinstance(server, MariaDbServer)
        else f"SELECT pg_advisory_lock({0x42574B52}, {before})"
    )
    claimer = breakwater.database(**roomy)
    with claimer.connection() as hunting:
        execute(hunting, claim)
        time.sleep(3)
        with database.connection() as connection:
            assert session(server, connection) != before
    assert database.counters.heals == 1
    for known in (database, claimer):
        known.close()


def test_fresh_environments_take_over_after_a_deployment(server_type: type[SqlServer]) -> None:
    """All slots are held by frozen environments of the version before."""
    with server_type(max_connections=12) as server, contextlib.ExitStack() as stack:
        slots = 12 if server_type is MariaDbServer else 9
        settings = server.settings | {"utilization": 0.7}
        # one slot is left for those who are to make room: what the utilization is for
        roomy = settings | {"max_connections": 1000}
        old = [stack.enter_context(EnvironmentProcess(roomy)) for _ in range(slots - 1)]
        for environment in old:
            environment.invoke("SELECT 1")
            environment.freeze()
        time.sleep(UNTIL_IDLE)
        fresh = [breakwater.database(**settings) for _ in range(4)]
        for database in fresh:
            with database.connection(Context(10)) as connection:
                execute(connection, "SELECT 1")
        assert sum(database.counters.zombies_ended for database in fresh) == slots - 1
        assert server.sessions() == len(fresh)
        # every one of the old heals
        for environment in old[:3]:
            environment.thaw()
            assert environment.invoke("SELECT 1")["Heals"] == 1
        for database in fresh:
            database.close()


def test_gives_its_own_connection_back_when_others_fill_the_server(server: SqlServer) -> None:
    limit = server.sessions() + 4
    database = breakwater.database(**(server.settings | {"max_connections": limit, "utilization": 0.5}))
    with contextlib.ExitStack() as stack:
        for _ in range(limit):
            other = breakwater.database(**(server.settings | {"max_connections": 1000}))
            stack.callback(other.close)
            stack.enter_context(other.connection())
        with database.connection():
            pass
        assert database.counters.closes == 1
        assert database._keeper.session is None


def test_looks_seldom(server: SqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    database = breakwater.database(**server.settings)
    looks: list[int] = []
    look = database._keeper._pressure.look

    async def counted(looking: Session) -> None:
        looks.append(1)
        await look(looking)

    monkeypatch.setattr(database._keeper._pressure, "look", counted)
    for _ in range(50):
        with database.connection():
            pass
    assert len(looks) == 1
    database.close()


def test_mariadb_ends_what_is_forgotten(mariadb: MariaDbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"wait_timeout=20" in marks.END_OF_BLOCK
    monkeypatch.setattr(marks, "END_OF_BLOCK", marks.END_OF_BLOCK.replace(b"wait_timeout=20", b"wait_timeout=1"))
    database = breakwater.database(**mariadb.settings)
    with database.connection(Context(30)) as connection:
        execute(connection, "SELECT 1")
        # within a block the server waits as long as the block may last
        time.sleep(2)
        before = session(mariadb, connection)
    time.sleep(2.2)
    with database.connection(Context(30)) as connection:
        assert session(mariadb, connection) != before
    database.close()


def test_postgresql_ends_what_is_forgotten(postgresql: PostgreSqlServer) -> None:
    database = breakwater.database(**postgresql.settings, function_timeout=30)
    question = "SELECT extract(epoch from current_setting('idle_session_timeout')::interval)::int"
    with database.connection() as connection:
        assert 30 <= rows(connection, question)[0][0] <= 40
    database.close()
