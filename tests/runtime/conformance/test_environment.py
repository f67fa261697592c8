"""An environment is never stuck, never on the wrong server, never blind."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from servers.sql import execute, session

import breakwater_runtime as breakwater
from breakwater_runtime import credentials
from breakwater_runtime._core import keeper, liveness
from breakwater_runtime._mysql.session import MySqlSession
from breakwater_runtime._secret import Secret
from tests.runtime.conformance.clients import CLIENTS, DRIVERS, entered
from tests.runtime.conformance.observer import observer
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.trouble import Fault, Trouble

if TYPE_CHECKING:
    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Client, Session

SECONDS = 8.0


def make_table(server: SqlServer) -> None:
    with observer(server) as connection:
        execute(connection, "DROP TABLE IF EXISTS surroundings", "CREATE TABLE surroundings (id INT)")
        execute(connection, "INSERT INTO surroundings VALUES (1)")


@promise(38)
async def test_a_server_that_became_read_only(client: Client, sql_server: SqlServer, network: Trouble) -> None:
    """After a failover the old writer is a reader: its sessions are of no use, new ones lead elsewhere."""
    make_table(sql_server)
    environment = client.open(network.settings(), SECONDS)
    async with environment.block() as connection:
        await connection.execute("INSERT INTO surroundings VALUES (2)")
    switch_on, switch_off = {
        "mariadb": ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"),
        "postgresql": (
            "ALTER DATABASE shop SET default_transaction_read_only = on",
            "ALTER DATABASE shop RESET default_transaction_read_only",
        ),
    }[client.engine]
    admin = sql_server.admin()
    try:
        execute(admin, switch_on)
        if client.engine == "postgresql":
            # sessions take the database's settings when they begin
            network.cut()
            time.sleep(0.1)
        with pytest.raises(Exception, match=r"read.only"):
            async with environment.block() as connection:
                await connection.execute("INSERT INTO surroundings VALUES (3)")
        execute(admin, switch_off)
        async with environment.block() as connection:
            await connection.execute("INSERT INTO surroundings VALUES (4)")
    finally:
        execute(admin, switch_off)
        admin.close()


@promise(38, clients=DRIVERS)
async def test_run_goes_to_the_new_writer(client: Client, sql_server: SqlServer, network: Trouble) -> None:
    make_table(sql_server)
    environment = client.open(network.settings(), SECONDS)
    calls = 0

    async def work(session: Session) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            # this session alone stands for the old writer
            await session.execute(
                "SET SESSION TRANSACTION READ ONLY" if client.engine == "mariadb" else "SET TRANSACTION READ ONLY"
            )
            if client.engine == "mariadb":
                await session.execute("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = '--read-only'")
        await session.execute("INSERT INTO surroundings VALUES (5)")

    await environment.run(work)
    assert calls == 2
    assert network.connections == 2


@promise(38, clients=("psycopg", "psycopg async", "SQLAlchemy, psycopg"))
async def test_a_plan_that_changed(client: Client, sql_server: SqlServer) -> None:
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)
    for _ in range(8):
        async with environment.block() as connection:
            await _select(connection)
    with observer(sql_server) as admin:
        execute(admin, "ALTER TABLE surroundings ADD COLUMN name TEXT")
    failed = 0
    for _ in range(4):
        try:
            async with environment.block() as connection:
                await _select(connection)
        except Exception:
            failed += 1
    assert failed <= 1


async def _select(connection: Session) -> None:
    await connection.rows("SELECT * FROM surroundings")


@promise(38, clients=("psycopg", "psycopg async"))
async def test_a_plan_that_changed_is_repeated_by_run(client: Client, sql_server: SqlServer) -> None:
    make_table(sql_server)
    environment = client.open(sql_server.settings, SECONDS)
    for _ in range(8):
        await environment.run(_select)
    with observer(sql_server) as admin:
        execute(admin, "ALTER TABLE surroundings ADD COLUMN name TEXT")
    await environment.run(_select)


@promise(39)
async def test_a_connection_has_an_age(client: Client, sql_server: SqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old writer lives on; its name leads to another address."""
    least, most = keeper.AGE_SECONDS
    assert 300 <= least < most <= 600
    monkeypatch.setattr(keeper, "AGE_SECONDS", (0.5, 0.6))
    leads_to = sql_server.host

    def getaddrinfo(*_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (leads_to, sql_server.port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    environment = client.open(sql_server.settings | {"host": "localhost"}, SECONDS)
    with Trouble(sql_server, host="127.0.0.39", port=sql_server.port) as moved:
        async with environment.block() as connection:
            first = await connection.id()
        leads_to = moved.host
        async with environment.block() as connection:
            assert await connection.id() == first
            await connection.pause(0.7)
        assert moved.connections == 0
        async with environment.block() as connection:
            assert await connection.id() != first
        assert moved.connections == 1


@promise(40)
async def test_close_within_a_block(client: Client, sql_server: SqlServer) -> None:
    """It takes effect at the end of the block."""
    environment = client.open(sql_server.settings, SECONDS)
    async with environment.block() as connection:
        first = await connection.id()
        environment.database.close()
        assert await connection.rows("SELECT 40") == [(40,)]
    async with environment.block() as connection:
        assert await connection.id() != first


@promise(40, clients=("PyMySQL", "psycopg"))
async def test_a_block_in_a_generator_that_is_given_up(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)

    def handler() -> Any:
        with environment.database.connection() as connection:
            yield session(sql_server, connection)
            yield None

    generator = handler()
    next(generator)
    del generator
    async with environment.block() as connection:
        assert await connection.rows("SELECT 40") == [(40,)]


@promise(40, clients=("PyMySQL", "psycopg"))
async def test_the_turn_is_asked_for_while_it_is_being_taken(client: Client, sql_server: SqlServer) -> None:
    """By a signal's handler, or by a garbage collection that ends a block."""
    environment = client.open(sql_server.settings, SECONDS)
    slot = environment.database._keeper.slot

    def handler() -> Any:
        with environment.database.connection() as connection:
            yield session(sql_server, connection)

    def interrupted() -> None:
        generator = handler()
        next(generator)
        with slot._lock:
            generator.close()
            next(handler())

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(SECONDS / 2)
    assert not thread.is_alive(), "waits for itself"
    async with environment.block() as connection:
        assert await connection.rows("SELECT 40") == [(40,)]


@promise(40)
async def test_a_context_that_is_none(client: Client, sql_server: SqlServer) -> None:
    """The event, and one of an invocation that is all but over: the session lives on."""
    environment = client.open(sql_server.settings, SECONDS)
    async with environment.block() as connection:
        first = await connection.id()
    with pytest.raises(breakwater.ConfigurationError, match="context is a dict"):
        async with entered(environment.database.connection({"id": 1})):
            pass
    with pytest.raises(breakwater.ConnectionUnavailable, match="the invocation are left"):
        async with environment.block(0.2):
            pass
    async with environment.block() as connection:
        assert await connection.id() == first


@promise(40, clients=("aiomysql", "psycopg async"))
async def test_the_wrong_kind_of_block_is_told(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    with pytest.raises(TypeError, match="`async with`"), environment.database.connection():
        pass
    async with environment.block() as connection:
        assert await connection.rows("SELECT 40") == [(40,)]


@promise(40)
async def test_a_context_that_fails(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, SECONDS)

    class Broken:
        def get_remaining_time_in_millis(self) -> int:
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            manager = environment.database.connection(Broken())
            if hasattr(manager, "__aenter__"):
                await manager.__aenter__()
            else:
                manager.__enter__()
    async with environment.block() as connection:
        assert await connection.rows("SELECT 40") == [(40,)]


@promise(41, 42)
async def test_what_does_not_pass_is_raised_at_once(client: Client, sql_server: SqlServer) -> None:
    for wrong in ({"password": "wrong-€-one"}, {"database": "nowhere"}, {"user": "nobody_here"}):
        settings = sql_server.settings | wrong
        began = time.monotonic()
        with pytest.raises(Exception, match=r"(?i)denied|failed|unknown database|does not exist") as caught:
            async with client.open(settings, 20.0).block() as connection:
                await connection.rows("SELECT 41")
        assert not isinstance(caught.value, breakwater.BreakwaterError)
        assert settings["password"] not in "".join(traceback.format_exception(caught.value))
        assert time.monotonic() - began < 10


@promise(42)
async def test_a_password_is_any_text(client: Client, sql_server: SqlServer) -> None:
    user, password = f"any_text_{CLIENTS.index(client.name)}", "€ ' \\ %s"
    sql_server.add_user(user, password)
    async with client.open(sql_server.settings | {"user": user, "password": password}, SECONDS).block() as connection:
        assert await connection.rows("SELECT 42") == [(42,)]


@promise(41)
async def test_an_administrator_s_decision_is_no_shortage(client: Client, sql_server: SqlServer) -> None:
    sql_server.add_user("banned", "a-password")
    on, off = {
        "mariadb": ("ALTER USER banned@'127.0.0.1' ACCOUNT LOCK", "DROP USER banned@'127.0.0.1'"),
        "postgresql": ("CREATE DATABASE closed ALLOW_CONNECTIONS false", "DROP DATABASE closed; DROP ROLE banned"),
    }[client.engine]
    login = {"user": "banned", "password": "a-password"}
    if client.engine == "postgresql":
        login["database"] = "closed"
    admin = sql_server.admin()
    try:
        execute(admin, on)
        environment = client.open(sql_server.settings | login, SECONDS)
        began = time.monotonic()
        with pytest.raises(Exception) as caught:
            async with environment.block() as connection:
                await connection.rows("SELECT 41")
        assert not isinstance(caught.value, breakwater.BreakwaterError)
        assert time.monotonic() - began < 6
    finally:
        for statement in off.split("; "):
            execute(admin, statement)
        admin.close()


@promise(27)
async def test_a_line_cut_between_blocks_is_not_seen(client: Client, network: Trouble) -> None:
    environment = client.open(network.settings(), SECONDS)
    for _ in range(3):
        async with environment.block() as connection:
            assert await connection.rows("SELECT 27") == [(27,)]
        network.cut()
        time.sleep(0.05)
    network.at("", Fault.CUT_BEFORE, times=2)
    async with environment.block() as connection:
        assert await connection.rows("SELECT 27") == [(27,)]


@promise(22, clients=DRIVERS)
async def test_two_secrets_of_one_host(client: Client, sql_server: SqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each login has its connection and its secret, and what becomes of one is not felt by the other."""
    user = f"reports_{CLIENTS.index(client.name)}"
    sql_server.add_user(user, "of yesterday")
    here = {name: sql_server.settings[name] for name in ("host", "port", "database")}
    secrets = {
        "shop": Secret(user=sql_server.user, password=sql_server.password, **here),
        "reports": Secret(user=user, password="of yesterday", **here),
    }
    fetched: list[str] = []

    def fetch(arn: str, _: object) -> Secret:
        fetched.append(arn)
        return secrets[arn]

    monkeypatch.setattr(credentials, "fetch", fetch)
    where = {"engine": sql_server.engine, "host": here["host"], "port": here["port"]}
    shop, reports = (client.open(where | {"secret_arn": arn}, SECONDS) for arn in secrets)
    who = client.statement(mariadb="SELECT SUBSTRING_INDEX(USER(), '@', 1)", postgresql="SELECT session_user")

    async def users() -> list[str]:
        async with shop.block() as orders, reports.block() as numbers:
            return [(await one.rows(who))[0][0] for one in (orders, numbers)]

    for _ in range(2):
        assert await users() == [sql_server.user, user]
    async with reports.block() as numbers:
        await numbers.execute(
            client.statement(
                mariadb="SET PASSWORD = PASSWORD('of today')", postgresql=f"ALTER ROLE {user} PASSWORD 'of today'"
            )
        )
    reports.close()
    secrets["reports"] = Secret(user=user, password="of today", **here)
    assert await users() == [sql_server.user, user]
    assert fetched == ["shop", "reports", "reports"]
    assert (shop.database.counters.connects, reports.database.counters.connects) == (1, 2)


STALL_SECONDS = 1.2


@promise(44, clients=("aiomysql", "psycopg async"))
@pytest.mark.parametrize("asks", ["whether it lives", "how full the server is"])
async def test_a_stalled_event_loop(client: Client, sql_server: SqlServer, asks: str) -> None:
    """The answer is there, and so is the end of the time that the runtime gives its own question."""
    assert STALL_SECONDS > liveness.CHECK_TIMEOUT_SECONDS
    environment = client.open(sql_server.settings, 60.0)
    async with environment.block() as connection:
        await connection.rows("SELECT 1")
    keeper = environment.database._keeper
    if asks == "whether it lives":
        keeper._used_at = (0.0, 0.0)
    else:
        keeper._pressure._next_look = 0.0

    # until the last block's answers are there
    await asyncio.sleep(0.1)
    # the first time that the block waits
    asyncio.get_running_loop().call_soon(time.sleep, STALL_SECONDS)
    async with environment.block() as connection:
        assert await connection.rows("SELECT 2") == [(2,)]


@promise(44)
async def test_a_freeze_right_behind_the_block_s_last_message(
    client: Client, sql_server: SqlServer, network: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has noted yet when the block ended: the next one asks all the same."""
    environment = client.open(network.settings(), 10.0)
    async with environment.block() as connection:
        await connection.rows("SELECT 1")
        session: Any = environment.database._keeper.session
        take_back = session.take_back

        def frozen() -> bool:
            taken: bool = take_back()
            # the answers come
            time.sleep(0.1)
            network.black_hole()
            time.sleep(liveness.CHECK_AFTER_SECONDS + 0.1)
            return taken

        monkeypatch.setattr(session, "take_back", frozen)
    began = time.monotonic()
    async with environment.block() as connection:
        assert await connection.rows("SELECT 2") == [(2,)]
    assert time.monotonic() - began < 5


@promise(44)
async def test_a_process_that_stood_still_while_it_logged_in(
    client: Client, sql_server: SqlServer, network: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What took long was not the server: a dead connection is given up as soon as any other."""
    environment = client.open(network.settings(), 20.0)
    stalled: Any = MySqlSession
    name = "_read_own_limits"
    if client.engine == "postgresql":
        stalled, name = environment.database._keeper.adapter, "wait_to_connect"
    method = getattr(stalled, name)

    async def slow(*arguments: Any) -> Any:
        time.sleep(3.0)
        return await method(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(stalled, name, slow)
        async with environment.block() as connection:
            await connection.rows("SELECT 1")
    network.black_hole()
    environment.database._keeper._used_at = (0.0, 0.0)
    began = time.monotonic()
    async with environment.block() as connection:
        assert await connection.rows("SELECT 2") == [(2,)]
    assert time.monotonic() - began < 5
