"""Nothing of a session's state reaches the next block."""

from __future__ import annotations

import contextlib

import psycopg.rows
import pymysql.cursors
import pytest
from servers import MariaDbServer, PostgreSqlServer
from servers.sql import execute, rows, session

import breakwater_runtime as breakwater

MARIADB = {
    "user variable": ("SET @tenant = 7", "SELECT @tenant", None),
    "user variable in a select": ("SELECT @tenant := 7", "SELECT @tenant", None),
    "session variable": ("SET SESSION time_zone = '+05:00'", "SELECT @@time_zone", "SYSTEM"),
    "autocommit": ("SET autocommit = 1 - @@autocommit", "SELECT @@autocommit", "same"),
    "default database": ("USE information_schema", "SELECT DATABASE()", "shop"),
    "named lock": ("SELECT GET_LOCK('theirs', 0)", "SELECT IS_USED_LOCK('theirs')", None),
    "isolation level": (
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SELECT @@tx_isolation",
        "same",
    ),
    "stored procedure": ("CALL leave_state()", "SELECT @left", None),
    "timeout": ("SET SESSION wait_timeout = 7", "SELECT @@wait_timeout > 7", 1),
}
POSTGRESQL = {
    "search_path": ("SET search_path = nowhere", "SHOW search_path", '"$user", public'),
    "role": ("SET ROLE clerk", "SELECT current_user::text", "app"),
    "setting by function": (
        "SELECT set_config('app.tenant', '7', false)",
        "SELECT current_setting('app.tenant', true)",
        "",
    ),
    "time zone": ("SET TIME ZONE 'Asia/Tokyo'", "SHOW timezone", "same"),
    "temporary table": ("CREATE TEMP TABLE scratch (id INT)", "SELECT to_regclass('scratch')::text", None),
    "advisory lock": (
        "SELECT pg_advisory_lock(7)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        0,
    ),
    "listen": ("LISTEN news", "SELECT count(*) FROM pg_listening_channels()", 0),
    "timeout": ("SET idle_session_timeout = 0", "SHOW idle_session_timeout", "same"),
}


def left_behind(database: breakwater.Database, statement: str, question: str) -> tuple[object, object]:
    """Return the answer before and after a block that ran the statement; in one and the same session."""
    with database.connection() as connection:
        before = rows(connection, question)[0][0]
    with database.connection() as connection:
        execute(connection, statement)
    with database.connection() as connection:
        return before, rows(connection, question)[0][0]


@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("kind", MARIADB)
def test_mariadb(mariadb: MariaDbServer, kind: str, autocommit: bool) -> None:
    statement, question, expected = MARIADB[kind]
    database = breakwater.database(**mariadb.settings, autocommit=autocommit)
    with database.connection() as connection:
        execute(connection, "CREATE OR REPLACE PROCEDURE leave_state() SET @left = 1")
    before, after = left_behind(database, statement, question)
    assert after == (before if expected == "same" else expected)
    assert database.counters.connects == 1
    database.close()


def test_mariadb_role_of_the_login(mariadb: MariaDbServer) -> None:
    user = f"{mariadb.user}@'127.0.0.1'"
    with mariadb.admin() as admin:
        execute(admin, "CREATE ROLE IF NOT EXISTS `by``default`", f"GRANT `by``default` TO {user}")
        execute(admin, f"SET DEFAULT ROLE `by``default` FOR {user}")
    database = breakwater.database(**mariadb.settings)
    try:
        assert left_behind(database, "SET ROLE NONE", "SELECT CURRENT_ROLE()") == ("by`default", "by`default")
        assert database.counters.connects == 1
    finally:
        with mariadb.admin() as admin:
            execute(admin, f"SET DEFAULT ROLE NONE FOR {user}")
        database.close()


def test_a_session_whose_role_has_no_way_back_is_not_used_again(mariadb: MariaDbServer) -> None:
    """As on a server that isn't MariaDB."""
    with mariadb.admin() as admin:
        execute(admin, "CREATE ROLE IF NOT EXISTS clerk", f"GRANT clerk TO {mariadb.user}@'127.0.0.1'")
    database = breakwater.database(**mariadb.settings)
    with database.connection() as connection:
        connection.exchange.role = None
        execute(connection, "/* of a */ SET ROLE clerk")
    with database.connection() as connection:
        assert rows(connection, "SELECT CURRENT_ROLE()") == [(None,)]
    assert database.counters.connects == 2
    database.close()


def test_mariadb_temporary_table(mariadb: MariaDbServer) -> None:
    database = breakwater.database(**mariadb.settings)
    with database.connection() as connection:
        execute(connection, "CREATE TEMPORARY TABLE scratch (id INT)")
    with database.connection() as connection, pytest.raises(pymysql.err.ProgrammingError, match="doesn't exist"):
        execute(connection, "SELECT * FROM scratch")
    database.close()


def test_mariadb_resets_only_what_changed(mariadb: MariaDbServer) -> None:
    """Blocks of plain statements cost two messages of the runtime's own, whose answers nobody waits for."""
    database = breakwater.database(**mariadb.settings, autocommit=True)

    def statements() -> int:
        with database.connection() as connection:
            return int(rows(connection, "SHOW SESSION STATUS LIKE 'Questions'")[0][1])

    first = statements()
    for _ in range(10):
        with database.connection() as connection:
            rows(connection, "SELECT 1")
    # ten blocks and the question's own, each with its two marks
    assert statements() - first == 11 * 3
    database.close()


@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("kind", POSTGRESQL)
def test_postgresql(postgresql: PostgreSqlServer, kind: str, autocommit: bool) -> None:
    statement, question, expected = POSTGRESQL[kind]
    with postgresql.admin() as admin, contextlib.suppress(psycopg.errors.DuplicateObject):
        admin.execute("CREATE ROLE clerk ROLE app")
    database = breakwater.database(**postgresql.settings, autocommit=autocommit)
    before, after = left_behind(database, statement, question)
    if kind == "setting by function":
        # a placeholder that was never set is NULL, one that was reset is empty
        assert after in (None, "")
    else:
        assert after == (before if expected == "same" else expected)
    assert database.counters.connects == 1
    database.close()


def test_an_open_transaction_is_not_inherited(server: MariaDbServer | PostgreSqlServer) -> None:
    """Also one that the handler began itself in a session with autocommit."""
    database = breakwater.database(**server.settings, autocommit=True)
    with database.connection() as connection:
        execute(connection, "DROP TABLE IF EXISTS inherited", "CREATE TABLE inherited (id INT PRIMARY KEY)")

    def fail() -> None:
        with database.connection() as connection:
            execute(connection, "BEGIN", "INSERT INTO inherited VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.connection() as connection:
        assert rows(connection, "SELECT COUNT(*) FROM inherited")[0][0] == 0
        execute(connection, "INSERT INTO inherited VALUES (1)")
    database.close()


def test_attributes_of_the_drivers_connection_are_restored(server: MariaDbServer | PostgreSqlServer) -> None:
    database = breakwater.database(**server.settings)
    with database.connection() as connection:
        before = session(server, connection)
        if isinstance(server, MariaDbServer):
            connection.cursorclass = pymysql.cursors.DictCursor
        else:
            connection.row_factory = psycopg.rows.dict_row
    with database.connection() as connection:
        assert session(server, connection) == before
    database.close()


def test_postgresql_autocommit_does_not_stay(postgresql: PostgreSqlServer) -> None:
    database = breakwater.database(**postgresql.settings)
    with database.connection() as connection:
        connection.autocommit = True
        execute(connection, "DROP TABLE IF EXISTS stays", "CREATE TABLE stays (id INT)")

    def fail() -> None:
        with database.connection() as connection:
            execute(connection, "INSERT INTO stays VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.connection() as connection:
        assert rows(connection, "SELECT count(*) FROM stays") == [(0,)]
    database.close()


def test_a_block_that_only_read_leaves_no_snapshot(server: MariaDbServer | PostgreSqlServer) -> None:
    """MariaDB opens a transaction for a SELECT, and doesn't say so in its status."""
    reader, writer = (breakwater.database(**server.settings) for _ in range(2))
    with writer.connection() as connection:
        execute(connection, "DROP TABLE IF EXISTS snapshots", "CREATE TABLE snapshots (id INT PRIMARY KEY)")
    with reader.connection() as connection:
        assert rows(connection, "SELECT COUNT(*) FROM snapshots")[0][0] == 0
    with writer.connection() as connection:
        execute(connection, "INSERT INTO snapshots VALUES (1)")
    with reader.connection() as connection:
        assert rows(connection, "SELECT COUNT(*) FROM snapshots")[0][0] == 1
    for database in (reader, writer):
        database.close()
