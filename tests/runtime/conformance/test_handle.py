"""A block owns its connection object and leaves nothing in it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import aiomysql
import psycopg
import pymysql
import pytest
from psycopg import sql
from servers.sql import execute

from tests.runtime.conformance.clients import DRIVERS, Client, awaited
from tests.runtime.conformance.observer import observer
from tests.runtime.conformance.promises import promise

if TYPE_CHECKING:
    from servers.sql import SqlServer

    from tests.runtime.conformance.trouble import Trouble

SECONDS = 15.0
DEAD = r"(?i)closed|block that is over"
CLASSES = {
    "PyMySQL": pymysql.connections.Connection,
    "aiomysql": aiomysql.Connection,
    "psycopg": psycopg.Connection,
    "psycopg async": psycopg.AsyncConnection,
}


@promise(34, clients=DRIVERS)
async def test_everything_is_dead_after_the_block(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    async with environment.block() as connection:
        await connection.rows("SELECT 34")
        raw = connection.raw
        cursor = await awaited(raw.cursor())
        await awaited(cursor.execute("SELECT 34"))
        await awaited(cursor.fetchall())
    for call in (
        lambda: cursor.execute("SELECT 35"),
        raw.commit,
        raw.rollback,
        lambda: raw.begin() if hasattr(raw, "begin") else raw.execute("BEGIN"),
    ):
        with pytest.raises(Exception, match=DEAD):
            await awaited(call())
    await awaited(raw.close())
    async with environment.block() as connection:
        assert await connection.rows("SELECT 34") == [(34,)]
        # what an old handle does reaches nobody
        with pytest.raises(Exception, match=DEAD):
            await awaited(raw.rollback())
        await awaited(raw.close())
        assert await connection.rows("SELECT 34") == [(34,)]


@promise(34)
async def test_an_old_session_reaches_no_new_block(client: Client, sql_server: SqlServer) -> None:
    with observer(sql_server) as admin:
        execute(admin, "DROP TABLE IF EXISTS handled", "CREATE TABLE handled (id INT)")
    environment = client.open(sql_server.settings, SECONDS)
    async with environment.block() as old:
        await old.rows("SELECT 34")
    async with environment.block() as connection:
        await connection.execute("INSERT INTO handled VALUES (1)")
        with pytest.raises(Exception, match=DEAD):
            await old.rows("SELECT 34")
        assert await connection.rows("SELECT COUNT(*) FROM handled") == [(1,)]
    async with environment.block() as connection:
        assert await connection.rows("SELECT COUNT(*) FROM handled") == [(1,)]


class Interruption(BaseException):
    """What a signal handler raises, as a timeout's does."""


@promise(35, clients=("PyMySQL", "SQLAlchemy, PyMySQL", "psycopg", "SQLAlchemy, psycopg"))
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the signal may strike a __del__
# ... or between making a coroutine and its first step, when nothing of it has happened yet
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
async def test_interrupted_in_mid_exchange(client: Client, sql_server: SqlServer) -> None:
    armed = False

    def interrupt(*_: object) -> None:
        # a late one must not strike the test itself
        nonlocal armed
        if armed:
            armed = False
            raise Interruption

    before = signal.signal(signal.SIGALRM, interrupt)
    environment = client.open(sql_server.settings, SECONDS)
    interrupted = 0
    try:
        for number in range(100):
            block = environment.block()
            try:
                # a different point of the exchange each time
                armed = True
                signal.setitimer(signal.ITIMER_REAL, 0.0002 + 0.00003 * number)
                async with block as connection:
                    for _ in range(4):
                        assert await connection.rows(f"SELECT {number}") == [(number,)]
                armed = False
            except BaseException as error:
                # struck in its commit, SQLAlchemy asserts in a `finally` that it has committed
                if not any(isinstance(each, Interruption) for each in (error, error.__context__)):
                    raise
                interrupted += 1
                # between two steps of the wrapper the signal leaves it standing, where a `with` of a handler's is left
                await block.gen.aclose()
            signal.setitimer(signal.ITIMER_REAL, 0)
            async with environment.block() as connection:
                assert await connection.rows(f"SELECT {1000 + number}") == [(1000 + number,)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted


@promise(35, clients=("aiomysql", "psycopg async"))
async def test_cancelled_in_mid_exchange(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    cancelled = 0

    async def invocation(number: int) -> None:
        async with environment.block() as connection:
            for _ in range(4):
                assert await connection.rows(f"SELECT {number}") == [(number,)]

    for number in range(100):
        try:
            await asyncio.wait_for(invocation(number), 0.0002 + 0.00003 * number)
        except (asyncio.TimeoutError, TimeoutError):
            cancelled += 1
        async with environment.block() as connection:
            assert await connection.rows(f"SELECT {1000 + number}") == [(1000 + number,)]
    assert cancelled


LEFT = {
    "mariadb": [
        ("SET @tenant = 7", "SELECT @tenant", None),
        ("SET SESSION sql_mode = 'ANSI'", "SELECT INSTR(@@session.sql_mode, 'ANSI')", 0),
        ("SET time_zone = '+05:00'", "SELECT @@session.time_zone", "SYSTEM"),
        ("/* by a commenter */ DO GET_LOCK('tenant', 1)", "SELECT IS_USED_LOCK('tenant')", None),
        (f"SELECT '{'x' * 5000}', GET_LOCK('far', 1)", "SELECT IS_USED_LOCK('far')", None),
        ("/* by a commenter */ PREPARE statement FROM 'SELECT 1'", None, "EXECUTE statement"),
        ("CREATE TEMPORARY TABLE left_behind (id INT)", None, "SELECT * FROM left_behind"),
        ("/* by a commenter */ USE information_schema", "SELECT DATABASE()", "shop"),
        ("SET NAMES latin1", "SELECT @@character_set_client", "utf8mb4"),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SELECT @@session.tx_isolation", "REPEATABLE-READ"),
        ("SET SESSION TRANSACTION READ ONLY", "SELECT @@session.tx_read_only", 0),
        ("SET ROLE tenant", "SELECT CURRENT_ROLE()", None),
        ("CALL become_tenant()", "SELECT CURRENT_ROLE()", None),
        ("SET STATEMENT max_statement_time=5 FOR SET ROLE tenant", "SELECT CURRENT_ROLE()", None),
        ("/*! SET ROLE tenant */", "SELECT CURRENT_ROLE()", None),
        ("INSERT INTO numbered VALUES (NULL)", "SELECT LAST_INSERT_ID()", 0),
    ],
    "postgresql": [
        ("SET search_path = nowhere", "SHOW search_path", '"$user", public'),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SHOW default_transaction_read_only", "off"),
        ("/* by a commenter */ SELECT pg_advisory_lock(36)", "SELECT count(*) FROM pg_locks WHERE objid = 36", 0),
        ("/* by a commenter */ PREPARE statement AS SELECT 1", None, "EXECUTE statement"),
        ("CREATE TEMPORARY TABLE left_behind (id INT)", None, "SELECT * FROM left_behind"),
        ("LISTEN tenants", "SELECT count(*) FROM pg_listening_channels()", 0),
        ("SET ROLE app", "SELECT current_setting('role')", "none"),
        ("DECLARE left_open CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors", 0),
        ("SET client_encoding = latin1", "SHOW client_encoding", "UTF8"),
    ],
}


@promise(36)
@pytest.mark.parametrize("failed", [False, True], ids=["committed", "rolled back"])
async def test_nothing_is_left_on_the_server(client: Client, sql_server: SqlServer, failed: bool) -> None:
    if client.engine == "mariadb":
        with sql_server.admin() as admin:
            execute(admin, "CREATE ROLE IF NOT EXISTS tenant", f"GRANT tenant TO {sql_server.user}@'127.0.0.1'")
        with observer(sql_server) as own:
            execute(
                own,
                "CREATE OR REPLACE PROCEDURE become_tenant() SET ROLE tenant",
                "CREATE OR REPLACE TABLE numbered (id INT AUTO_INCREMENT PRIMARY KEY)",
            )
    environment = client.open(sql_server.settings, SECONDS)
    for change, question, expected in LEFT[client.engine]:
        try:
            async with environment.block() as connection:
                await connection.execute(change)
                if failed:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        if question is None:
            with pytest.raises(Exception, match=r"(?i)exist|unknown prepared"):
                async with environment.block() as connection:
                    await connection.rows(expected)
        else:
            async with environment.block() as connection:
                assert await connection.rows(question) == [(expected,)], change


@promise(36)
async def test_locks_of_tables_are_not_left(client: Client, sql_server: SqlServer) -> None:
    with observer(sql_server) as admin:
        execute(admin, "DROP TABLE IF EXISTS handled", "CREATE TABLE handled (id INT)")
    environment = client.open(sql_server.settings, SECONDS)
    lock = {"mariadb": "/* by a commenter */ LOCK TABLES handled WRITE", "postgresql": "LOCK TABLE handled"}
    async with environment.block() as connection:
        await connection.execute(lock[client.engine])
    with observer(sql_server) as other:
        execute(other, "SET lock_wait_timeout = 1" if client.engine == "mariadb" else "SET lock_timeout = 1000")
        execute(other, "INSERT INTO handled VALUES (1)")


@promise(36, clients=("psycopg", "psycopg async"))
async def test_nothing_is_left_in_psycopg_s_connection(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    heard: list[Any] = []
    async with environment.block() as connection:
        raw = connection.raw
        raw.row_factory = psycopg.rows.dict_row
        raw.prepare_threshold = 0
        raw.adapters.register_dumper(str, psycopg.types.numeric.IntDumper)
        raw.add_notify_handler(heard.append)
        raw.add_notice_handler(heard.append)
        for setter, value in (
            ("set_isolation_level", psycopg.IsolationLevel.SERIALIZABLE),
            ("set_read_only", True),
            ("set_deferrable", True),
        ):
            await awaited(getattr(raw, setter)(value))
        await connection.execute("LISTEN tenants")
        await connection.execute("NOTIFY tenants, 'for tenant A'")
    async with environment.block() as connection:
        raw = connection.raw
        assert raw.row_factory is psycopg.rows.tuple_row
        assert (raw.isolation_level, raw.read_only, raw.deferrable, raw.prepare_threshold) == (None, None, None, 5)
        cursor = await awaited(raw.execute("SELECT %s", ("text",)))
        assert await awaited(cursor.fetchone()) == ("text",)
        await connection.execute("DO $$ BEGIN RAISE NOTICE 'not for me'; END $$")
        await connection.execute("NOTIFY tenants, 'nobody listens'")
        notes = raw.notifies(timeout=0.05, stop_after=1)
        assert [note async for note in notes] == [] if hasattr(notes, "__aiter__") else list(notes) == []
    assert [note.payload for note in heard if hasattr(note, "payload")] in ([], ["for tenant A"])


@promise(36, clients=("psycopg", "psycopg async"))
async def test_prepared_statements_live_on(client: Client, sql_server: SqlServer) -> None:
    """psycopg prepares what it has seen five times; the server knows it under psycopg's name."""
    environment = client.open(sql_server.settings, SECONDS)
    for number in range(12):
        async with environment.block() as connection:
            cursor = await awaited(connection.raw.execute("SELECT %s + 1", (number,)))
            assert await awaited(cursor.fetchone()) == (number + 1,)
            cursor = await awaited(connection.raw.execute("SELECT %s + 2", (number,), prepare=True))
            assert await awaited(cursor.fetchone()) == (number + 2,)
    async with environment.block() as connection:
        count = await connection.rows("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE '\\_pg3%'")
        assert count == [(2,)]


@promise(36, clients=("PyMySQL", "aiomysql"))
async def test_nothing_is_left_in_pymysql_s_connection(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    async with environment.block() as connection:
        raw = connection.raw
        before = dict(raw.decoders)
        raw.cursorclass = (pymysql.cursors if client.name == "PyMySQL" else aiomysql).DictCursor
        if client.name == "PyMySQL":
            raw.decoders.clear()
        else:
            # aiomysql's is the module's own
            raw.decoders = dict[int, Any]()
        await awaited((raw.set_character_set if client.name == "PyMySQL" else raw.set_charset)("latin1"))
    async with environment.block() as connection:
        assert connection.raw.decoders == before
        assert await connection.rows("SELECT 36, @@character_set_client, 'ä'") == [(36, "utf8mb4", "ä")]


@promise(37, clients=DRIVERS)
async def test_the_driver_s_own_class(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    async with environment.block() as connection:
        raw: Any = connection.raw
        assert isinstance(raw, CLASSES[client.name])
        cursor = await awaited(raw.cursor())
        assert cursor.connection is raw
        if client.engine == "postgresql":
            assert sql.SQL("SELECT {}").format(sql.Literal("a")).as_string(raw) == "SELECT 'a'"
            await awaited(connection.raw.execute(sql.SQL("SELECT {}").format(sql.Literal(1))))


@promise(22)
def test_after_a_fork_parent_and_child_have_their_own(client: Client, sql_server: SqlServer, network: Trouble) -> None:
    environment = client.open(network.settings(), SECONDS)

    async def ask(number: int) -> bool:
        async with environment.block() as connection:
            return await connection.rows(f"SELECT {number}") == [(number,)]

    assert client.finish(ask(22))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # with an event loop of its own
            code = 0 if Client(client.name).finish(ask(23)) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.finish(ask(22))
    # the parent's is still its first
    assert network.connections == 2
