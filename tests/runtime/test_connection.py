"""The life of a connection, against real servers."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from servers import MariaDbServer, PostgreSqlServer
from servers.sql import SqlServer, end_session, execute, rows, session

import breakwater_runtime as breakwater
from breakwater_runtime._core.session import Waker
from breakwater_runtime.errors import TransactionAborted
from tests.runtime.lambda_context import Context
from tests.runtime.waiting import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def table(server: SqlServer) -> Iterator[str]:
    database = breakwater.database(**server.settings)
    with database.connection() as connection:
        execute(connection, "DROP TABLE IF EXISTS orders", "CREATE TABLE orders (id INT PRIMARY KEY)")
    yield "orders"
    database.close()


@pytest.fixture
def database(server: SqlServer, table: str) -> Iterator[breakwater.Database]:
    database = breakwater.database(**server.settings)
    yield database
    database.close()


def count(server: SqlServer) -> int:
    database = breakwater.database(**server.settings)
    with database.connection() as connection:
        found = rows(connection, "SELECT COUNT(*) FROM orders")[0][0]
    database.close()
    return found


def test_nothing_is_opened_before_it_is_needed(server: SqlServer) -> None:
    before = server.sessions()
    breakwater.database(**server.settings)
    assert server.sessions() == before


def test_yields_the_drivers_own_connection(server: SqlServer, database: breakwater.Database) -> None:
    with database.connection(None) as connection:
        assert isinstance(connection, (pymysql.connections.Connection, psycopg.Connection))


def test_commits_a_block_that_ends_well(server: SqlServer, database: breakwater.Database) -> None:
    with database.connection() as connection:
        execute(connection, "INSERT INTO orders VALUES (1)")
    assert count(server) == 1


def test_rolls_back_and_lets_the_exception_out(server: SqlServer, database: breakwater.Database) -> None:
    def fail() -> None:
        with database.connection() as connection:
            execute(connection, "INSERT INTO orders VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(server) == 0


def test_keeps_one_session(server: SqlServer, database: breakwater.Database) -> None:
    sessions = set()
    for _ in range(5):
        with database.connection() as connection:
            sessions.add(session(server, connection))
    assert len(sessions) == 1
    assert database.counters.connects == 1
    assert database.counters.reuses == 4


@pytest.mark.parametrize("autocommit", [False, True])
def test_opens_another_when_the_server_ended_it(server: SqlServer, table: str, autocommit: bool) -> None:
    database = breakwater.database(**server.settings, autocommit=autocommit)
    with database.connection() as connection:
        first = session(server, connection)
    end_session(server, first)
    time.sleep(0.1)
    with database.connection() as connection:
        assert session(server, connection) != first
        execute(connection, "INSERT INTO orders VALUES (1)")
    assert count(server) == 1
    assert database.counters.heals == 1
    database.close()


def test_a_lost_session_is_told_and_never_repeated(server: SqlServer, database: breakwater.Database) -> None:
    """The block's first INSERT is lost with its session: the second must not be committed without it."""

    def lose_one() -> None:
        with database.connection() as connection:
            execute(connection, "INSERT INTO orders VALUES (1)")
            end_session(server, session(server, connection))
            time.sleep(0.1)
            with contextlib.suppress(Exception):
                execute(connection, "INSERT INTO orders VALUES (2)")

    with pytest.raises((pymysql.Error, psycopg.Error, TransactionAborted)):
        lose_one()
    assert count(server) == 0
    with database.connection() as connection:
        assert rows(connection, "SELECT COUNT(*) FROM orders")[0][0] == 0


def test_run_repeats_what_the_server_rolled_back(server: SqlServer, database: breakwater.Database) -> None:
    calls = []

    def work(connection: Any) -> str:
        calls.append(session(server, connection))
        execute(connection, "INSERT INTO orders VALUES (1)")
        if len(calls) == 1:
            end_session(server, calls[0])
            time.sleep(0.1)
        execute(connection, "INSERT INTO orders VALUES (2)")
        return "done"

    assert database.run(work, Context(10)) == "done"
    assert len(calls) == 2
    assert count(server) == 2


def test_run_does_not_repeat_the_users_errors(server: SqlServer, database: breakwater.Database) -> None:
    calls = []

    def work(connection: Any) -> None:
        calls.append(1)
        execute(connection, "INSERT INTO orders VALUES (1)", "INSERT INTO orders VALUES (1)")

    with pytest.raises(Exception, match=r"(?i)duplicate"):
        database.run(work, Context(10))
    assert len(calls) == 1


def test_run_refuses_writes_with_autocommit(server: SqlServer) -> None:
    database = breakwater.database(**server.settings, autocommit=True)
    with pytest.raises(breakwater.ConfigurationError, match="written twice"):
        database.run(lambda _: None)
    assert database.run(lambda connection: rows(connection, "SELECT 1")[0][0], read_only=True) == 1
    database.close()


def test_a_failed_statement_that_was_swallowed_is_not_reported_as_committed(postgresql: PostgreSqlServer) -> None:
    database = breakwater.database(**postgresql.settings)
    with (
        pytest.raises(TransactionAborted, match="rolled back"),
        database.connection() as connection,
        contextlib.suppress(psycopg.Error),
    ):
        execute(connection, "SELECT 1/0")
    with database.connection() as connection:
        assert rows(connection, "SELECT 1") == [(1,)]
    database.close()


def test_one_thread_does_not_ask_twice(server: SqlServer, database: breakwater.Database) -> None:
    with database.connection(), pytest.raises(breakwater.BreakwaterError, match="already uses"), database.connection():
        pass


def test_threads_take_turns(server: SqlServer, database: breakwater.Database) -> None:
    def insert(number: int) -> None:
        with database.connection() as connection:
            execute(connection, f"INSERT INTO orders VALUES ({number})")  # noqa: S608

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(server) == 8
    assert database.counters.connects == 1


def test_a_turn_that_comes_when_the_wait_ends_is_taken_once(
    postgresql: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of one invocation give up at the same moment as the one before them."""
    database = breakwater.database(**postgresql.settings)
    began, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with database.connection(Context(20)):
            began.set()
            go.wait()
        ended.set()

    async def wait(_waker: Waker, _seconds: float) -> bool:
        go.set()
        ended.wait()
        return False

    threading.Thread(target=work).start()
    began.wait()
    monkeypatch.setattr(Waker, "wait", wait)
    for _ in range(2):
        with database.connection(Context(20)) as connection:
            assert rows(connection, "SELECT 1") == [(1,)]
    database.close()


def test_a_thread_that_ends_within_its_block_is_noticed_by_who_waits(postgresql: PostgreSqlServer) -> None:
    database = breakwater.database(**postgresql.settings)
    lease = database.connection(Context(20))
    began = threading.Event()

    def work() -> None:
        lease.__enter__()
        began.set()
        time.sleep(0.2)

    threading.Thread(target=work).start()
    began.wait()
    asked = time.monotonic()
    with database.connection(Context(20)) as connection:
        assert rows(connection, "SELECT 1") == [(1,)]
    assert time.monotonic() - asked < 10
    database.close()


def test_a_closed_connection_is_no_trap(server: SqlServer, database: breakwater.Database) -> None:
    with database.connection() as connection:
        execute(connection, "SELECT 1")
    connection.close()
    with database.connection() as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1


def test_a_forked_child_opens_its_own(server: SqlServer, database: breakwater.Database) -> None:
    with database.connection() as connection:
        first = session(server, connection)
    receiver, sender = multiprocessing.get_context("fork").Pipe()

    def child() -> None:
        with database.connection() as connection:
            sender.send(session(server, connection))
        database.close()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(20)
    assert receiver.poll(0)
    assert receiver.recv() != first
    with database.connection() as connection:
        assert session(server, connection) == first


def test_survives_a_restart_of_the_server(server_type: type[SqlServer]) -> None:
    with server_type() as server:
        database = breakwater.database(**server.settings)
        with database.connection() as connection:
            execute(connection, "CREATE TABLE orders (id INT PRIMARY KEY)")
        # orphans of a killed postmaster may live on for a moment; SIGQUIT is its "immediate" shutdown
        server.stop(signal_number=signal.SIGKILL if server_type is MariaDbServer else signal.SIGQUIT)
        restart = threading.Timer(1, server.start)
        restart.start()
        with database.connection(Context(30)) as connection:
            execute(connection, "INSERT INTO orders VALUES (1)")
        restart.join()
        assert count(server) == 1
        assert database.counters.waits > 0
        database.close()


def test_says_what_was_tried(server_type: type[SqlServer]) -> None:
    with server_type() as server:
        settings = server.settings
    database = breakwater.database(**settings)
    watch = Stopwatch()
    with pytest.raises(breakwater.ConnectionUnavailable) as caught, database.connection(Context(2)):
        pass
    assert watch.seconds < 2
    assert caught.value.attempts > 3
    assert f"{settings['host']}:{settings['port']}: no connection after" in str(caught.value)
    assert "refused" in str(caught.value)
    assert settings["password"] not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("password", "not it", r"(?i)(access denied|password authentication failed)"),
        ("database", "nowhere", r"(?i)(unknown database|denied|does not exist)"),
    ],
)
def test_the_users_errors_are_raised_at_once(server: SqlServer, setting: str, value: str, message: str) -> None:
    database = breakwater.database(**(server.settings | {setting: value}))
    with pytest.raises(Exception, match=message) as caught, database.connection(Context(60)):
        pass
    assert not isinstance(caught.value, breakwater.BreakwaterError)
    assert database.counters.waits == 0


def test_a_full_server_is_waited_for(server_type: type[SqlServer]) -> None:
    with server_type(max_connections=12) as server:
        # three of PostgreSQL's are for superusers
        slots = 12 if server_type is MariaDbServer else 9
        others = [breakwater.database(**server.settings) for _ in range(slots)]
        with contextlib.ExitStack() as stack:
            for other in others:
                stack.enter_context(other.connection())
            release = threading.Timer(1, others[0]._keeper.drop)
            release.start()
            database = breakwater.database(**server.settings)
            with database.connection(Context(30)) as connection:
                assert rows(connection, "SELECT 1")[0][0] == 1
            assert database.counters.waits > 0
            release.join()
        for known in [*others, database]:
            known.close()
