"""What MariaDB is left with when environments are killed, and who may be ended: only who has said that it is idle."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pymysql
import pytest

import breakwater_runtime as breakwater
from tests.runtime.environment_process import EnvironmentProcess
from tests.runtime.sql import Context, execute, hunt, rows, session
from tests.servers import MariaDbServer, Network

TIMEOUT_SECONDS = 3


@pytest.fixture
def roomy(mariadb: MariaDbServer) -> dict[str, Any]:
    return mariadb.settings | {"max_connections": 1000}


def test_killed_environments_leave_no_sessions_behind(mariadb: MariaDbServer, roomy: dict[str, Any]) -> None:
    """Two environments wait for a row's lock and are killed at the function's timeout, again and again."""
    with mariadb.admin() as admin:
        execute(admin, "CREATE OR REPLACE TABLE shop.locked (id INT PRIMARY KEY)", "INSERT INTO shop.locked VALUES (1)")
        before = mariadb.sessions()
        execute(admin, "BEGIN", "SELECT * FROM shop.locked FOR UPDATE")
        left = []
        for _ in range(3):
            with contextlib.ExitStack() as killed_at_the_end:
                for _ in range(2):
                    environment = killed_at_the_end.enter_context(EnvironmentProcess(roomy))
                    environment.invoke("SELECT 1")
                    environment.begin("UPDATE locked SET id = 2", seconds=TIMEOUT_SECONDS)
                time.sleep(TIMEOUT_SECONDS)
            time.sleep(1.5)
            left.append(mariadb.sessions() - before)
        execute(admin, "ROLLBACK")
    assert left == [0, 0, 0]


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


@pytest.mark.parametrize("place", ["statement", "COMMIT"])
def test_a_network_that_answers_nothing_ends_before_the_deadline(mariadb: MariaDbServer, place: str) -> None:
    with Network(mariadb) as network:
        database = breakwater.database(**(mariadb.settings | {"port": network.port}))
        context = Context(4)

        def block() -> None:
            with database.connection(context) as connection:
                rows(connection, "SELECT 1")
                network.black_hole()
                if place == "statement":
                    rows(connection, "SELECT 2")

        with pytest.raises(
            (pymysql.Error, breakwater.OutcomeUnknown), match=rf"{place} at 127\.0\.0\.1:{network.port}"
        ):
            block()
        assert context.get_remaining_time_in_millis() > 300
        database.close()


def test_a_live_block_is_never_ended(mariadb: MariaDbServer, roomy: dict[str, Any]) -> None:
    """A hunter without an age limit, while blocks begin, idle, stream and end."""
    hunter = breakwater.database(**roomy)
    database = breakwater.database(**roomy)
    ended = 0
    for number in range(60):
        with database.connection(Context(20)) as connection:
            before = session(mariadb, connection)
            assert hunt(hunter, 0) == 0
            if number % 2:
                with connection.cursor(pymysql.cursors.SSCursor) as cursor:
                    cursor.execute("SELECT seq FROM seq_1_to_1000")
                    assert hunt(hunter, 0) == 0
                    assert sum(1 for _ in cursor) == 1000
            assert session(mariadb, connection) == before
        if number % 3 == 0:
            ended += hunt(hunter, 0)
            # between blocks: another session, and no error; the pause is what an environment's own clock would show
            database._keeper._used_at = (0.0, 0.0)
    assert ended == 20
    assert database.counters.connects == ended + 1 - (59 % 3 == 0)
    for known in (hunter, database):
        known.close()


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
