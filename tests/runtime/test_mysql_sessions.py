"""MariaDB's limits of a statement follow the block, and one environment has one connection there."""

from __future__ import annotations

import time

import pymysql
import pytest
from servers import MariaDbServer
from servers.sql import execute, rows, session

import breakwater_runtime as breakwater
from tests.runtime.lambda_context import Context


def test_a_statement_that_begins_late_has_only_the_time_that_is_left(mariadb: MariaDbServer) -> None:
    database = breakwater.database(**mariadb.settings)
    with database.connection(Context(10)) as connection:
        first = rows(connection, "SELECT @@max_statement_time")[0][0]
        time.sleep(2)
        second = rows(connection, "SELECT @@max_statement_time")[0][0]
        execute(connection, "SET SESSION max_statement_time = 1")
        time.sleep(0.6)
        # the block's own limit stays
        assert float(rows(connection, "SELECT @@max_statement_time")[0][0]) == 1
    assert float(first) <= 9.5
    assert float(second) <= 7.9
    database.close()


def test_one_environment_has_one_connection(mariadb: MariaDbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from breakwater_runtime._core import keeper, slot

    one = slot.Slot()

    def shared(_: object) -> slot.Slot:
        return one

    monkeypatch.setattr(keeper, "slot_for", shared)
    first, second = breakwater.database(**mariadb.settings), breakwater.database(**mariadb.settings)
    other = breakwater.database(**mariadb.settings, autocommit=True)
    with first.connection(Context(10)) as connection:
        number = session(mariadb, connection)
        for asking in (second, other):
            with pytest.raises(breakwater.BreakwaterError, match="already uses"), asking.connection(Context(10)):
                pass
    with second.connection(Context(10)) as connection:
        assert session(mariadb, connection) == number
    with other.connection(Context(10)) as connection:
        execute(connection, "DO 1")
    assert first._keeper.session is None
    other.close()


def test_a_session_that_can_not_end_its_transaction_is_not_used_again(mariadb: MariaDbServer) -> None:
    """One that a block leaves in an XA transaction refuses COMMIT, and nearly everything else."""
    database = breakwater.database(**mariadb.settings)
    with database.connection(Context(10)) as connection:
        execute(connection, "CREATE OR REPLACE TABLE prepared (id INT)")

    def prepare() -> None:
        with database.connection(Context(10)) as connection:
            connection.rollback()
            execute(connection, "XA START 'x'", "INSERT INTO prepared VALUES (1)", "XA END 'x'", "XA PREPARE 'x'")

    with pytest.raises(pymysql.err.OperationalError, match="1399"):
        prepare()
    with database.connection(Context(10)) as connection:
        assert rows(connection, "SELECT COUNT(*) FROM prepared") == [(0,)]
        connection.rollback()
        execute(connection, "XA ROLLBACK 'x'")
    database.close()
