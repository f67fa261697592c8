"""A commit is known, unknown, or not reached."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from servers.sql import execute, is_alive, rows

import breakwater_runtime as breakwater
from breakwater_runtime._core.line import Line
from breakwater_runtime._mysql.async_connection import AsyncMySqlConnection
from tests.runtime.conformance.clients import DRIVERS, Client
from tests.runtime.conformance.observer import observer
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.stage import play
from tests.runtime.conformance.trouble import Fault, Trouble
from tests.runtime.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Session
    from tests.runtime.conformance.stage import Scene

SECONDS = 8.0


def seen(server: SqlServer, table: str = "outcome") -> int:
    """Count the rows as an administrator sees them."""
    with observer(server) as connection:
        return rows(connection, f"SELECT COUNT(*) FROM {table}")[0][0]


def make_table(server: SqlServer, *more: str, table: str = "outcome") -> None:
    with observer(server) as connection:
        execute(connection, f"DROP TABLE IF EXISTS {table}", f"CREATE TABLE {table} (id INT)", *more)


@promise(24)
@pytest.mark.parametrize("marker", ["INSERT", "COMMIT"])
@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
async def test_a_line_cut_in_a_block(
    client: Client, sql_server: SqlServer, network: Trouble, marker: str, fault: Fault
) -> None:
    """connection() repeats nothing: it raises, and what it says is true."""
    make_table(sql_server)
    environment = client.open(network.settings(), SECONDS)
    async with environment.block() as connection:
        await connection.rows("SELECT 1")
    with pytest.raises(Exception) as caught:
        async with environment.block() as connection:
            network.at(marker, fault)
            await connection.execute("INSERT INTO outcome VALUES (1)")
    assert isinstance(caught.value, breakwater.OutcomeUnknown) == (marker == "COMMIT")
    wait_until(lambda: sql_server.sessions() == 0)
    assert seen(sql_server) == int(marker == "COMMIT" and fault is Fault.CUT_AFTER)
    async with environment.block() as connection:
        await connection.execute("INSERT INTO outcome VALUES (2)")


WORKS: dict[str, tuple[str, ...]] = {
    "the runtime's commit": ("INSERT INTO outcome VALUES (1)",),
    "SQL's COMMIT behind a comment": ("INSERT INTO outcome VALUES (1)", "/* a comment */ COMMIT"),
    "a commit in the middle": ("INSERT INTO outcome VALUES (1)", "COMMIT", "SELECT 1"),
    "BEGIN and COMMIT": ("BEGIN", "INSERT INTO outcome VALUES (1)", "COMMIT"),
    "COMMIT AND CHAIN": ("INSERT INTO outcome VALUES (1)", "COMMIT AND CHAIN", "SELECT 1"),
    "DDL": ("INSERT INTO outcome VALUES (1)", "ALTER TABLE outcome ALTER COLUMN id SET DEFAULT 7353", "SELECT 1"),
    "rolled back first": ("INSERT INTO outcome VALUES (1)", "ROLLBACK", "INSERT INTO outcome VALUES (1)"),
    "a savepoint": ("SAVEPOINT one", "INSERT INTO outcome VALUES (1)", "RELEASE SAVEPOINT one"),
}


@promise(24, 25, 30, clients=DRIVERS)
@pytest.mark.parametrize("proxy", [False, True], ids=["direct", "behind a proxy"])
def test_run_writes_once(client: Client, sql_server: SqlServer, proxy: bool) -> None:
    """The line cut before and after each message of the work: a success is one row, an error at most one."""

    def writing(number: int, statements: tuple[str, ...]) -> Scene:
        table = f"outcome_{number}"
        statements = tuple(statement.replace("outcome ", f"{table} ") for statement in statements)

        async def scene(own: Client, network: Trouble, server: SqlServer) -> None:
            make_table(server, table=table)
            environment = own.open(network.settings(), 20.0, proxy=proxy)
            await environment.run(_doing("SELECT 1"))
            for marker in [*dict.fromkeys(statement.split()[-1] for statement in statements), "COMMIT"]:
                for fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER):
                    await _write_once(environment, network, server, table, statements, (marker, fault))

        return scene

    play(client, sql_server, {work: writing(number, WORKS[work]) for number, work in enumerate(WORKS)})


async def _write_once(
    environment: Any, network: Trouble, server: SqlServer, table: str, statements: tuple[str, ...], cut: tuple[Any, ...]
) -> None:
    before = seen(server, table)
    ids: list[int] = []

    async def work(session: Session) -> None:
        ids.append(await session.id())
        network.at(*cut)
        await session.execute(*statements)

    error: Exception | None = None
    try:
        await environment.run(work)
    except Exception as raised:
        error = raised
        wait_until(lambda: not is_alive(server, ids[-1]))
    network.at("", Fault.CUT_BEFORE, times=0)
    written = seen(server, table) - before
    assert written == 1 if error is None else written in (0, 1), (cut, error)
    if error is not None and "unknown" not in str(error) and written:
        # what was applied before the error is said, too
        assert "applied" in str(error), (cut, error)
    await environment.run(_doing("SELECT 1"))


def _doing(*statements: str) -> Callable[[Session], Any]:
    async def work(session: Session) -> None:
        await session.execute(*statements)

    return work


def _stands_still_behind_commit(client: Client, environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second pass between the sending of COMMIT and the reading of its answer."""
    session = environment.database._keeper.session
    sender, method = {
        "PyMySQL": (Line, "sendall"),
        "aiomysql": (AsyncMySqlConnection, "_write_bytes"),
    }.get(client.name, (session, "_post"))
    send = getattr(sender, method)

    def stalled(*arguments: Any) -> None:
        send(*arguments)
        if b"COMMIT" in arguments[-1]:
            time.sleep(1.2)

    monkeypatch.setattr(sender, method, stalled)


@promise(44, clients=DRIVERS)
async def test_an_answer_that_is_read_too_late(
    client: Client, sql_server: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process stood still over its deadline, and the answer has come meanwhile."""
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)
    async with environment.block(1.5) as connection:
        await connection.execute("INSERT INTO outcome VALUES (1)")
        _stands_still_behind_commit(client, environment, monkeypatch)
    assert seen(sql_server) == 1
    async with environment.block() as connection:
        assert await connection.rows("SELECT COUNT(*) FROM outcome") == [(1,)]


@promise(44, clients=DRIVERS)
async def test_a_commit_is_not_sent_when_the_time_is_over(client: Client, sql_server: SqlServer) -> None:
    """Nobody would wait for its answer, and what became of it would be unknown."""
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)
    with pytest.raises(breakwater.TransactionAborted, match="COMMIT was not sent"):
        async with environment.block(1.5) as connection:
            await connection.execute("INSERT INTO outcome VALUES (1)")
            own = await connection.id()
            time.sleep(1.2)
    assert seen(sql_server) == 0
    async with environment.block() as connection:
        assert await connection.id() == own
        await connection.execute("INSERT INTO outcome VALUES (2)")
    assert seen(sql_server) == 1


@promise(44)
async def test_the_user_s_commit_is_not_sent_when_the_time_is_over(client: Client, sql_server: SqlServer) -> None:
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)
    with pytest.raises(Exception, match=r"not sent, since the invocation's time is over") as raised:
        async with environment.block(1.5) as connection:
            await connection.execute("INSERT INTO outcome VALUES (1)")
            time.sleep(1.2)
            await connection.commit()
    assert not isinstance(raised.value, breakwater.OutcomeUnknown)
    assert seen(sql_server) == 0
    async with environment.block() as connection:
        await connection.execute("INSERT INTO outcome VALUES (2)")
        await connection.commit()
    assert seen(sql_server) == 1


@promise(44, clients=("aiomysql",))
async def test_an_event_loop_that_stood_still_over_the_deadline_says_so(client: Client, sql_server: SqlServer) -> None:
    """Of a statement that was answered; it is COMMIT that isn't sent any more."""
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)
    with pytest.raises((pymysql.OperationalError, breakwater.TransactionAborted), match=r"[Tt]he invocation"):
        async with environment.block(1.5) as connection:
            await connection.rows("SELECT 1")
            asyncio.get_running_loop().call_soon(time.sleep, 1.2)
            await connection.execute("INSERT INTO outcome VALUES (1)")
    assert seen(sql_server) == 0
    async with environment.block() as connection:
        assert await connection.rows("SELECT 1") == [(1,)]


@promise(25, clients=DRIVERS)
async def test_an_unknown_commit_is_not_repeated(client: Client, sql_server: SqlServer, network: Trouble) -> None:
    make_table(sql_server)
    environment = client.open(network.settings(), SECONDS)
    await environment.run(_doing("SELECT 1"))
    calls = 0

    async def work(session: Session) -> None:
        nonlocal calls
        calls += 1
        await session.execute("INSERT INTO outcome VALUES (1)")

    network.at("COMMIT", Fault.CUT_AFTER)
    with pytest.raises(Exception, match="unknown"):
        await environment.run(work)
    assert (calls, seen(sql_server)) == (1, 1)


CONFLICT = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO=1213"
COMMITS_AND_BEGINS = (
    "BEGIN",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    "CALL commit_and_begin()",
    "EXECUTE IMMEDIATE 'START TRANSACTION'",
    "BEGIN NOT ATOMIC COMMIT; START TRANSACTION; END",
    "/*! COMMIT */",
    "--\nALTER TABLE outcome COMMENT 'b'",
    "SET STATEMENT max_statement_time=10 FOR COMMIT",
    # what fails itself, after it has committed
    f"BEGIN NOT ATOMIC COMMIT; START TRANSACTION; {CONFLICT}; END",
    "--\nCALL commit_and_fail()",
    "/*M! CALL commit_and_fail() */",
    "BEGIN NOT ATOMIC COMMIT; SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO=1290, MESSAGE_TEXT='read-only'; END",
)


@promise(24, clients=("PyMySQL", "aiomysql"))
async def test_what_commits_and_begins_anew_is_not_repeated(
    client: Client, sql_server: SqlServer, network: Trouble
) -> None:
    """The server says before it and behind it that a transaction is open."""
    make_table(
        sql_server,
        "CREATE OR REPLACE PROCEDURE commit_and_begin() BEGIN COMMIT; START TRANSACTION; END",
        f"CREATE OR REPLACE PROCEDURE commit_and_fail() BEGIN COMMIT; {CONFLICT}; END",
    )
    environment = client.open(network.settings(), SECONDS)
    calls = 0

    async def work(session: Session) -> None:
        nonlocal calls
        calls += 1
        await session.execute("INSERT INTO outcome VALUES (1)", statement, "SELECT 'lost'")

    statement = ""
    for number, statement in enumerate(COMMITS_AND_BEGINS, 1):
        network.at("lost", Fault.CUT_AFTER)
        with pytest.raises(Exception, match=r"2013|1213|1290"):
            await environment.run(work)
        assert (calls, seen(sql_server)) == (number, number), statement
    # and what opens the first transaction commits nothing
    network.at("lost", Fault.CUT_AFTER)
    await environment.run(_doing("BEGIN", "INSERT INTO outcome VALUES (2)", "SELECT 'lost'"))
    assert seen(sql_server) == len(COMMITS_AND_BEGINS) + 1


@promise(24, clients=DRIVERS)
async def test_another_database_s_commit_that_is_lost_repeats_nothing(
    client: Client, sql_server: SqlServer, network: Trouble
) -> None:
    make_table(sql_server)
    outer = client.open(sql_server.settings, SECONDS)
    inner = client.open(network.settings(), SECONDS)
    await inner.run(_doing("SELECT 1"))
    calls = 0

    async def work(session: Session) -> None:
        nonlocal calls
        calls += 1
        await session.execute("INSERT INTO outcome VALUES (1)")
        network.at("COMMIT", Fault.CUT_AFTER)
        async with inner.block() as other:
            await other.execute("INSERT INTO outcome VALUES (2)")

    with pytest.raises(Exception, match="unknown"):
        await outer.run(work)
    assert (calls, seen(sql_server)) == (1, 1)


@promise(27, clients=DRIVERS)
async def test_a_lost_connection_is_repeated_twice(client: Client, sql_server: SqlServer, network: Trouble) -> None:
    make_table(sql_server)
    environment = client.open(network.settings(), SECONDS)
    await environment.run(_doing("SELECT 1"))
    calls = 0

    async def work(session: Session) -> None:
        nonlocal calls
        calls += 1
        await session.execute("INSERT INTO outcome VALUES (1)")

    network.at("INSERT", Fault.CUT_AFTER, times=2)
    await environment.run(work)
    assert (calls, seen(sql_server)) == (3, 1)
    network.at("INSERT", Fault.CUT_AFTER, times=100)
    calls = 0
    with pytest.raises(Exception) as caught:
        await environment.run(work)
    assert not isinstance(caught.value, breakwater.BreakwaterError)
    network.at("", Fault.CUT_BEFORE, times=0)
    assert (calls, seen(sql_server)) == (3, 1)


@promise(27, clients=DRIVERS)
async def test_another_server_s_error_is_not_repeated(client: Client, sql_server: SqlServer) -> None:
    """A ConnectionError, and an error of the same driver from somewhere else."""
    environment = client.open(sql_server.settings, SECONDS)
    calls = 0

    async def work(session: Session) -> None:
        nonlocal calls
        calls += 1
        await session.rows("SELECT 1")
        if client.engine == "mariadb":
            import pymysql

            raise pymysql.err.OperationalError(2003, "another server refused")
        import psycopg

        raise psycopg.OperationalError("another server refused")

    with pytest.raises(Exception, match="another server refused"):
        await environment.run(work)
    assert calls == 1


@promise(28, clients=DRIVERS)
async def test_a_poisonous_statement(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    sent = 0

    async def work(session: Session) -> None:
        nonlocal sent
        sent += 1
        if client.engine == "mariadb":
            await session.execute("KILL CONNECTION_ID()")
        else:
            await session.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        await session.rows("SELECT 1")

    with pytest.raises(Exception) as caught:
        await environment.run(work)
    assert not isinstance(caught.value, breakwater.BreakwaterError)
    assert sent <= 3


@promise(28, clients=("PyMySQL",))
@pytest.mark.parametrize("megabytes", [17, 40])
async def test_a_packet_that_the_server_does_not_take(client: Client, sql_server: SqlServer, megabytes: int) -> None:
    """MariaDB takes 16 MB; what is longer ends the connection, or is an error of its own."""
    make_table(sql_server, "ALTER TABLE outcome ADD text LONGTEXT")
    environment = client.open(sql_server.settings, SECONDS)
    sent = 0

    async def work(session: Session) -> None:
        nonlocal sent
        sent += 1
        await session.execute(f"INSERT INTO outcome VALUES (1, '{'x' * (megabytes << 20)}')")

    with pytest.raises(Exception, match=r"1153|2006|2013") as caught:
        await environment.run(work)
    assert not isinstance(caught.value, breakwater.BreakwaterError)
    assert sent <= 3
    await environment.run(_doing("INSERT INTO outcome VALUES (2, '')"))
    assert seen(sql_server) == 1


@promise(28, clients=("psycopg",))
async def test_a_statement_that_crashes_its_server(client: Client, sql_server: SqlServer) -> None:
    """As a fault of an extension does: PostgreSQL ends every session and recovers, each time."""
    environment = client.open(sql_server.settings, 20.0)
    crashed: list[int] = []

    async def work(session: Session) -> None:
        crashed.append(await session.id())
        os.kill(crashed[-1], signal.SIGSEGV)
        await session.rows("SELECT pg_sleep(5)")

    with pytest.raises(Exception) as caught:
        await environment.run(work)
    assert not isinstance(caught.value, breakwater.BreakwaterError)
    assert len(set(crashed)) == 3
    await environment.run(_doing("SELECT 1"))


@promise(24, 30, clients=("PyMySQL", "aiomysql"))
@pytest.mark.parametrize("engine", ["MyISAM", "Aria TRANSACTIONAL=0"])
async def test_a_table_without_transactions_is_written_once(
    client: Client, sql_server: SqlServer, network: Trouble, engine: str
) -> None:
    """Whatever is lost, and when: what was written there stays, whatever becomes of the transaction."""
    make_table(sql_server, "DROP TABLE IF EXISTS at_once", f"CREATE TABLE at_once (id INT) ENGINE={engine}")
    environment = client.open(network.settings(), SECONDS)
    await environment.run(_doing("SELECT 1"))
    work = _doing("INSERT INTO at_once VALUES (1)", "SELECT 'behind'", "INSERT INTO outcome VALUES (1)")
    for marker, fault in (
        ("at_once", Fault.CUT_BEFORE),
        ("at_once", Fault.CUT_AFTER),
        ("'behind'", Fault.CUT_AFTER),
        ("COMMIT", Fault.CUT_AFTER),
    ):
        before = seen(sql_server, "at_once")
        network.at(marker, fault)
        with pytest.raises(Exception) as caught:
            await environment.run(work)
        # where the INSERT itself was lost
        assert isinstance(caught.value, breakwater.OutcomeUnknown) == (marker != "'behind'")
        environment.database.close()
        if client.name == "aiomysql":
            # its loop closes the line
            await asyncio.sleep(0)
        wait_until(lambda: sql_server.sessions() == 0)
        assert seen(sql_server, "at_once") - before <= int(fault is Fault.CUT_AFTER)
    # a table with transactions is repeated beside them, and one without that was only read
    await environment.run(_doing("SELECT 1"))
    for marker in ("INSERT INTO outcome", "SELECT COUNT"):
        before = seen(sql_server)
        network.at(marker, Fault.CUT_AFTER)
        await environment.run(_doing("INSERT INTO outcome VALUES (1)", "SELECT COUNT(*) FROM at_once"))
        assert seen(sql_server) - before == 1


def contend(
    client: Client, sql_server: SqlServer, work: Callable[[Client, Any, int], object]
) -> list[BaseException | None]:
    """Let two environments work at once on a table with the rows 1 and 2; return what each raised."""
    make_table(sql_server, "INSERT INTO outcome VALUES (1), (2)", "CREATE UNIQUE INDEX outcome_id ON outcome (id)")
    outcomes: list[BaseException | None] = [None, None]

    def one(number: int) -> None:
        own = Client(client.name)
        # one database at one address is one environment's, so each has an address of its own
        with Trouble(sql_server) as network:
            try:
                work(own, own.open(network.settings(), 20.0), number)
            except BaseException as error:
                outcomes[number] = error
            finally:
                own.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def touch(number: int) -> str:
    return f"UPDATE outcome SET id = id WHERE id = {number}"


@promise(26, clients=DRIVERS)
def test_a_deadlock_is_repeated(client: Client, sql_server: SqlServer) -> None:
    both = threading.Barrier(2)
    calls = [0, 0]

    def work(own: Client, environment: Any, number: int) -> None:
        async def lock_both(session: Session) -> None:
            calls[number] += 1
            await session.execute(touch(number + 1))
            if calls[number] == 1:
                both.wait(10)
            await session.execute(touch(2 - number))

        own.finish(environment.run(lock_both))

    assert contend(client, sql_server, work) == [None, None]
    # whose turn comes again before the other has its lock meets a second deadlock
    assert 3 <= sum(calls) <= 6


@promise(26)
def test_a_swallowed_deadlock_ends_the_block(client: Client, sql_server: SqlServer) -> None:
    """The second half must not be committed alone."""
    both = threading.Barrier(2)

    def work(own: Client, environment: Any, number: int) -> None:
        async def swallow() -> None:
            async with environment.block() as session:
                await session.execute(f"INSERT INTO outcome VALUES ({10 + number})")
                await session.execute(touch(number + 1))
                both.wait(10)
                try:
                    await session.execute(touch(2 - number))
                except Exception:
                    await session.execute(f"INSERT INTO outcome VALUES ({20 + number})")

        own.finish(swallow())

    outcomes = contend(client, sql_server, work)
    assert [error is None for error in outcomes].count(False) == 1
    # the winner's row alone
    assert seen(sql_server) == 3


@promise(26, clients=("PyMySQL", "aiomysql"))
def test_a_savepoint_does_not_bring_back_a_block_that_a_deadlock_ended(client: Client, sql_server: SqlServer) -> None:
    """Its refusal is swallowed too, as of a nested transaction."""
    both = threading.Barrier(2)

    def work(own: Client, environment: Any, number: int) -> None:
        async def swallow() -> None:
            async with environment.block() as session:
                await session.execute(f"INSERT INTO outcome VALUES ({10 + number})", "SAVEPOINT one")
                await session.execute(touch(number + 1))
                both.wait(10)
                with contextlib.suppress(Exception):
                    await session.execute(touch(2 - number))
                with contextlib.suppress(Exception):
                    await session.execute("ROLLBACK TO SAVEPOINT one")
                await session.execute(f"INSERT INTO outcome VALUES ({20 + number})")

        own.finish(swallow())

    outcomes = contend(client, sql_server, work)
    assert [error is None for error in outcomes].count(False) == 1
    # the winner's two
    assert seen(sql_server) == 4


@promise(26, clients=("psycopg", "psycopg async", "SQLAlchemy, psycopg"))
async def test_a_commit_that_rolls_back_is_no_success(client: Client, sql_server: SqlServer) -> None:
    """The server's answer to it is ROLLBACK, which is no error."""
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)

    async def commit(text: str | None) -> None:
        async with environment.block() as session:
            await session.execute("INSERT INTO outcome VALUES (1)")
            with contextlib.suppress(Exception):
                await session.execute("SELECT 1/0")
            await (session.commit() if text is None else session.execute(text))

    for text in (None, "commit work"):
        with pytest.raises(breakwater.TransactionAborted):
            await commit(text)
    assert seen(sql_server) == 0
    async with environment.block() as session:
        await session.execute("INSERT INTO outcome VALUES (1)")
    assert seen(sql_server) == 1


@promise(26, clients=("psycopg", "psycopg async"))
async def test_a_serialization_failure_that_commit_reports_is_repeated(client: Client, sql_server: SqlServer) -> None:
    """As Aurora DSQL reports each conflict; here a deferred constraint trigger raises 40001 once."""
    make_table(
        sql_server,
        "DROP SEQUENCE IF EXISTS outcome_tries",
        "CREATE SEQUENCE outcome_tries",
        "GRANT ALL ON outcome_tries TO PUBLIC",
        """CREATE OR REPLACE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF nextval('outcome_tries') = 1 THEN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END IF;
           RETURN NULL; END $$""",
        "CREATE CONSTRAINT TRIGGER conflict AFTER INSERT ON outcome DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION conflict()",
    )
    environment = client.open(sql_server.settings, SECONDS)
    await environment.run(_doing("INSERT INTO outcome VALUES (1)"))
    assert seen(sql_server) == 1


@promise(29, clients=DRIVERS)
async def test_the_user_commits_and_closes(client: Client, sql_server: SqlServer) -> None:
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)
    async with environment.block() as connection:
        await connection.execute("INSERT INTO outcome VALUES (1)")
        await connection.commit()
        closed = connection.raw.close()
        if hasattr(closed, "__await__"):
            await closed
    assert seen(sql_server) == 1
    async with environment.block() as connection:
        assert await connection.rows("SELECT 29") == [(29,)]


@promise(29)
async def test_cleaning_that_fails_after_commit_is_no_failure(
    client: Client, sql_server: SqlServer, network: Trouble
) -> None:
    make_table(sql_server)
    environment = client.open(network.settings(), SECONDS)
    async with environment.block() as connection:
        await connection.execute("INSERT INTO outcome VALUES (1)")
        await connection.commit()
        network.cut()
        time.sleep(0.1)
    assert seen(sql_server) == 1
    async with environment.block() as connection:
        assert await connection.rows("SELECT 29") == [(29,)]


@promise(30)
async def test_what_is_acknowledged_is_there(client: Client, sql_server: SqlServer) -> None:
    """Writes that answer with rows."""
    make_table(sql_server, "INSERT INTO outcome VALUES (7)")
    with observer(sql_server) as admin:
        if client.engine == "mariadb":
            execute(
                admin,
                "DROP FUNCTION IF EXISTS write_one",
                "CREATE FUNCTION write_one() RETURNS INT MODIFIES SQL DATA SQL SECURITY INVOKER "
                "BEGIN INSERT INTO outcome VALUES (1); RETURN 1; END",
            )
        else:
            execute(
                admin,
                "CREATE OR REPLACE FUNCTION write_one() RETURNS INT LANGUAGE sql AS "
                "'INSERT INTO outcome VALUES (1) RETURNING id'",
            )
    environment = client.open(sql_server.settings, SECONDS)
    for statement, left in (
        ("INSERT INTO outcome VALUES (1) RETURNING id", 2),
        ("SELECT write_one()", 3),
        ("DELETE FROM outcome WHERE id = 7 RETURNING id", 2),
    ):
        async with environment.block() as connection:
            assert len(await connection.rows(statement)) == 1
        assert seen(sql_server) == left


@promise(31)
async def test_options_of_the_driver_are_joined(client: Client, sql_server: SqlServer) -> None:
    """A block that raises still leaves no row, before and after a reset of the session."""
    make_table(sql_server)
    options, question, answer = {
        "mariadb": ({"init_command": "SET SESSION time_zone = '+03:00'"}, "SELECT @@session.time_zone", "+03:00"),
        "postgresql": ({"options": "-c timezone=Asia/Kathmandu"}, "SHOW timezone", "Asia/Kathmandu"),
    }[client.engine]
    change = {"mariadb": "SET @tenant = 7", "postgresql": "SET search_path = nowhere"}[client.engine]
    environment = client.open(sql_server.settings, SECONDS, **options)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with environment.block() as connection:
                assert await connection.rows(question) == [(answer,)]
                await connection.execute("INSERT INTO outcome VALUES (1)")
                await connection.execute(change)
                raise ZeroDivisionError
    assert seen(sql_server) == 0


@promise(33, clients=DRIVERS)
async def test_a_stream_that_outlives_its_block_raises(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    long = "seq_1_to_20000" if client.engine == "mariadb" else "generate_series(1, 20000)"
    async with environment.block() as connection:
        stream = connection.stream(f"SELECT * FROM {long}")
        await anext(stream)
    with pytest.raises(Exception, match=r"(?i)clos|block that is over"):
        async for _ in stream:
            pass
    async with environment.block() as connection:
        assert await connection.rows("SELECT 33") == [(33,)]


@promise(30, clients=DRIVERS)
async def test_a_stream_that_is_left_and_never_ends_is_no_success(client: Client, sql_server: SqlServer) -> None:
    """What the block wrote before is not committed, and nobody says so but the error."""
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)
    slow, long = ("SLEEP", "seq_1_to_3") if client.engine == "mariadb" else ("pg_sleep", "generate_series(1, 3) seq")
    streams = []
    with pytest.raises((psycopg.OperationalError, pymysql.err.OperationalError, breakwater.TransactionAborted)):
        async with environment.block(1.2) as connection:
            await connection.execute("INSERT INTO outcome VALUES (1)")
            # the first row fills the server's buffer, so that it comes
            streams.append(
                connection.stream(
                    f"SELECT REPEAT('x', 100000), {slow}(CASE WHEN seq = 1 THEN 0 ELSE 9 END) FROM {long}"
                )
            )
            await anext(streams[0])
    assert seen(sql_server) == 0
