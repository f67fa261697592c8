"""Live or idle is written on the server by the block itself."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from servers.sql import execute, is_alive, rows

import breakwater_runtime as breakwater
from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS
from breakwater_runtime._core.server_pressure import ZOMBIE_SECONDS
from breakwater_runtime._core.session import now
from breakwater_runtime._mysql import marks
from breakwater_runtime._mysql import session as mysql_session
from breakwater_runtime._postgresql import claims, messages, wire
from tests.runtime.conformance.clients import CLIENTS, DRIVERS, Client, awaited, each, entered
from tests.runtime.conformance.observer import observer
from tests.runtime.conformance.process import ClientProcess
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.stage import play
from tests.runtime.conformance.trouble import Trouble
from tests.runtime.lambda_context import Context
from tests.runtime.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers.sql import SqlServer
    from typing_extensions import Self

    from tests.runtime.conformance.clients import Session
    from tests.runtime.conformance.stage import Scene

# A session may be ended once it has been idle for 4 s, and MariaDB counts whole seconds.
LONGER_THAN_IDLE = 5.5


class Hunter:
    """Ten times a second, an environment that finds the server above its utilization."""

    def __init__(self, server: SqlServer) -> None:
        self._network = Trouble(server)
        self._looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hunt)
        self.errors: list[BaseException] = []

    def _once(self) -> None:
        """Look once: a new environment looks before its first block."""
        self._looks += 1
        # settings of its own, so that it is a new one
        settings = self._network.settings() | {"utilization": 0.0, "function_timeout": 30 + self._looks / 1000}
        database = breakwater.database(**settings)
        try:
            with database.connection(Context(30)):
                pass
        finally:
            database.close()

    def _hunt(self) -> None:
        while not self._over.wait(0.1):
            try:
                self._once()
            except BaseException as error:
                self.errors.append(error)

    def __enter__(self) -> Self:
        self._network.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._network.__exit__()


@contextmanager
def hunted(server: SqlServer) -> Iterator[Hunter]:
    with Hunter(server) as hunter:
        yield hunter
    assert not hunter.errors


# Who lives ------------------------------------------------------------------------------------------------------------


async def _before_the_first(session: Session, client: Client) -> None:
    await session.pause(LONGER_THAN_IDLE)


async def _between_two(session: Session, client: Client) -> None:
    await session.rows("SELECT 1")
    await session.pause(LONGER_THAN_IDLE)


async def _after_the_users_commit(session: Session, client: Client) -> None:
    await session.rows("SELECT 1")
    await session.commit()
    await session.pause(LONGER_THAN_IDLE)


async def _after_the_users_rollback(session: Session, client: Client) -> None:
    await session.rows("SELECT 1")
    await session.rollback()
    await session.pause(LONGER_THAN_IDLE)


async def _a_long_statement(session: Session, client: Client) -> None:
    await session.rows(f"SELECT {client.statement(mariadb='SLEEP', postgresql='pg_sleep')}({LONGER_THAN_IDLE})")


# more than the buffers of both ends hold
_MANY = {
    "mariadb": "SELECT seq, REPEAT('x', 1000) FROM seq_1_to_20000",
    "postgresql": "SELECT n, REPEAT('x', 1000) FROM generate_series(1, 20000) n",
}


async def _a_stream(session: Session, client: Client) -> None:
    seen = 0
    async for _ in session.stream(_MANY[client.engine]):
        if seen == 10:
            await session.pause(LONGER_THAN_IDLE)
        seen += 1
    assert seen == 20_000


async def _everything_thrown_away(session: Session, client: Client) -> None:
    statements = {
        "mariadb": ["DO RELEASE_ALL_LOCKS()"],
        "postgresql": ["RESET ALL", "SELECT pg_advisory_unlock_all()", "RESET ROLE"],
    }[client.engine]
    await session.execute(*statements)
    await session.commit()
    await session.execute(*statements)
    await session.commit()
    await session.pause(LONGER_THAN_IDLE)


LIVE: dict[str, Callable[[Session, Client], Any]] = {
    "before the first statement": _before_the_first,
    "between two statements": _between_two,
    "after the user's commit": _after_the_users_commit,
    "after the user's rollback": _after_the_users_rollback,
    "in a long statement": _a_long_statement,
    "in a stream": _a_stream,
    "with everything thrown away": _everything_thrown_away,
}


async def _results_left(session: Session, client: Client) -> None:
    await session.execute("CREATE OR REPLACE PROCEDURE three_results() BEGIN SELECT 1; SELECT 2; SELECT 3; END")
    cursor = await awaited(session.raw.cursor())
    await awaited(cursor.execute("CALL three_results()"))
    await session.pause(LONGER_THAN_IDLE)
    while await awaited(cursor.nextset()):
        pass


async def _copy_to(session: Session, client: Client) -> None:
    seen = 0
    async with entered(session.raw.cursor().copy(f"COPY ({_MANY['postgresql']}) TO STDOUT")) as copy:
        async for _ in each(copy):
            if seen == 10:
                await session.pause(LONGER_THAN_IDLE)
            seen += 1
    assert seen >= 10


async def _copy_from(session: Session, client: Client) -> None:
    await session.execute("CREATE TEMPORARY TABLE copied (id INT)")
    async with entered(session.raw.cursor().copy("COPY copied FROM STDIN")) as copy:
        await awaited(copy.write(b"1\n"))
        await session.pause(LONGER_THAN_IDLE)
        await awaited(copy.write(b"2\n"))
    assert await session.rows("SELECT count(*) FROM copied") == [(2,)]


async def _notifies(session: Session, client: Client) -> None:
    await session.execute("LISTEN nobody")
    await session.commit()
    assert [note async for note in each(session.raw.notifies(timeout=LONGER_THAN_IDLE))] == []


async def _a_pipeline(session: Session, client: Client) -> None:
    async with entered(session.raw.pipeline()):
        first = await awaited(session.raw.execute("SELECT 1"))
        await session.pause(LONGER_THAN_IDLE)
        second = await awaited(session.raw.execute("SELECT 2"))
    assert [await awaited(cursor.fetchone()) for cursor in (first, second)] == [(1,), (2,)]


OF_A_DRIVER: dict[str, dict[str, Callable[[Session, Client], Any]]] = {
    "mariadb": {"with results of a CALL left": _results_left},
    "postgresql": {
        "in COPY to": _copy_to,
        "in COPY from": _copy_from,
        "waiting for notifications": _notifies,
        "in a pipeline": _a_pipeline,
    },
}


def live(work: Callable[[Session, Client], Any], **arguments: Any) -> Scene:
    """Be the second block of an environment's life, and not be ended."""

    async def scene(own: Client, network: Trouble, server: SqlServer) -> None:
        environment = own.open(network.settings(), 60.0, **arguments)
        async with environment.block() as session:
            await session.rows("SELECT 1")
        async with environment.block() as session:
            await work(session, own)
            assert await session.rows("SELECT 12") == [(12,)]

    return scene


async def _short_pauses(own: Client, network: Trouble, server: SqlServer) -> None:
    """Neither is long enough to ask; both together are long enough to be taken for frozen."""
    short = CHECK_AFTER_SECONDS - 0.1
    assert 2 * short > ZOMBIE_SECONDS
    environment = own.open(network.settings(), 60.0)
    async with environment.block() as session:
        await session.rows("SELECT 1")
    await session.pause(short)
    async with environment.block() as session:
        await session.pause(short)
        assert await session.rows("SELECT 12") == [(12,)]


async def _pythons_lock_held(own: Client, network: Trouble, server: SqlServer) -> None:
    with ClientProcess(own.name, network.settings(), 60.0) as process:
        process.invoke(["rows", "SELECT 1"])
        seen = process.invoke(["rows", "SELECT 13"], ["hold Python's lock", LONGER_THAN_IDLE], ["rows", "SELECT 14"])
        assert seen == [[13], [14]]


async def _frozen_within_the_block(own: Client, network: Trouble, server: SqlServer) -> None:
    with ClientProcess(own.name, network.settings(), 60.0) as process:
        process.invoke(["rows", "SELECT 1"])
        process.begin(["rows", "SELECT 13"], ["pause", 1.0], ["rows", "SELECT 14"])
        process.wait_until_begun()
        time.sleep(0.5)
        process.freeze()
        time.sleep(LONGER_THAN_IDLE)
        process.thaw()
        assert process.end() == {"seen": [[13], [14]]}


async def _frozen_between_blocks(own: Client, network: Trouble, server: SqlServer) -> None:
    """The one that is to be ended, and heals."""
    who = own.statement(mariadb="SELECT CONNECTION_ID()", postgresql="SELECT pg_backend_pid()")
    with ClientProcess(own.name, network.settings(), 60.0) as process:
        ((session,),) = process.invoke(["rows", who])
        began = time.monotonic()
        process.freeze()
        assert is_alive(server, session)
        wait_until(lambda: not is_alive(server, session), seconds=20)
        # not before: an invocation that follows within 2.5 s doesn't even ask
        assert time.monotonic() - began >= 3
        process.thaw()
        ((other,),) = process.invoke(["rows", who])
        assert other != session


def prompt(user: str, password: str) -> Scene:
    """Be the session of a user at a prompt, and not be ended."""

    async def scene(own: Client, network: Trouble, server: SqlServer) -> None:
        where: dict[str, Any] = {"host": network.host, "port": network.port, "user": user, "password": password}
        if own.engine == "mariadb":
            session: Any = pymysql.connect(**where, database=server.database, ssl_disabled=True)
        else:
            session = psycopg.connect(**where, dbname=server.database, autocommit=True)
        execute(session, "SELECT 1")
        time.sleep(LONGER_THAN_IDLE)
        assert list(rows(session, "SELECT 19")) == [(19,)]
        session.close()

    return scene


PROCESSES: dict[str, Scene] = {
    "with Python's lock held": _pythons_lock_held,
    "frozen within the block": _frozen_within_the_block,
    "frozen between blocks": _frozen_between_blocks,
}


def _play_hunted(client: Client, server: SqlServer, *, processes: bool) -> None:
    kinds = LIVE | (OF_A_DRIVER[client.engine] if client.name in DRIVERS else {})
    scenes = {name: live(work) for name, work in kinds.items()}
    scenes["a short pause before the block, another before the first statement"] = _short_pauses
    if "SQLAlchemy" not in client.name:
        scenes |= {f"{name}, autocommit": live(work, autocommit=True) for name, work in LIVE.items()}
    neighbour = f"neighbour_{CLIENTS.index(client.name)}"
    server.add_user(neighbour, "a-password")
    scenes |= {
        "another user's prompt": prompt(neighbour, "a-password"),
        "the same user's prompt": prompt(server.user, server.password),
    }
    with hunted(server):
        play(client, server, scenes | (PROCESSES if processes else {}))


@promise(12, 13, 14, 15, 17, 19, clients=DRIVERS)
def test_who_lives_is_not_ended_and_who_is_frozen_between_blocks_is(client: Client, sql_server: SqlServer) -> None:
    """Each kind of block at once, under a hunter, each an environment of its own."""
    _play_hunted(client, sql_server, processes=True)


@promise(12, 13, 14, 15, 19, clients=("SQLAlchemy, PyMySQL", "SQLAlchemy, psycopg"))
def test_who_lives_is_not_ended(client: Client, sql_server: SqlServer) -> None:
    """As before, without the processes."""
    _play_hunted(client, sql_server, processes=False)


def _has_paused(environment: Any) -> None:
    """Let a long pause have passed, as the environment's own clocks tell it: the next block asks."""
    environment.database._keeper._used_at = (0.0, 0.0)


HUNTED_SECONDS = 2.0


@promise(18)
async def test_begins_against_a_hunter_without_an_age_limit(
    client: Client, sql_server: SqlServer, network: Trouble
) -> None:
    environment = client.open(network.settings(), 30.0)
    over = threading.Event()
    ended: list[int] = []

    def hunt() -> None:
        database = breakwater.database(**sql_server.settings, function_timeout=60.0)
        with database.connection(Context(60)):
            session = database._keeper.session
            assert session is not None
            while not over.is_set():
                ended.append(now(session.hunt(0)))
                time.sleep(0.002)
        database.close()

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        number, ends = 0, time.monotonic() + HUNTED_SECONDS
        while time.monotonic() < ends or not any(ended):
            number += 1
            async with environment.block() as session:
                assert await session.rows(f"SELECT {number}") == [(number,)]
            _has_paused(environment)
            if number % 10 == 0:
                await session.pause(0.01)
    finally:
        over.set()
        hunter.join()


@promise(18)
async def test_a_claim_of_a_frozen_hunter(client: Client, sql_server: SqlServer, network: Trouble) -> None:
    """Between a hunter's claim and its KILL no statement goes into the session; nobody waits for the hunter."""
    environment = client.open(network.settings(), 30.0)
    async with environment.block() as session:
        first = await session.id()
    claim = client.statement(
        mariadb=f"SELECT GET_LOCK('breakwater.end.{first}', 0)",
        postgresql=f"SELECT pg_advisory_lock({claims._KEY}, {first})",
    )
    with observer(sql_server) as hunter:
        # the block's end may still be under way
        wait_until(lambda: next(iter(rows(hunter, claim)))[0] != 0)
        _has_paused(environment)
        began = time.monotonic()
        async with environment.block() as session:
            assert await session.id() != first
        assert time.monotonic() - began < 5


# The server's own timeouts --------------------------------------------------------------------------------------------


@promise(16)
async def test_the_server_s_idle_timeouts_end_no_block(client: Client, sql_server: SqlServer) -> None:
    shorten, restore = {
        "mariadb": ("SET GLOBAL wait_timeout = 1", "SET GLOBAL wait_timeout = DEFAULT"),
        "postgresql": (
            "ALTER DATABASE shop SET idle_session_timeout = '1s'",
            "ALTER DATABASE shop RESET idle_session_timeout",
        ),
    }[client.engine]
    with sql_server.admin() as admin:
        try:
            execute(admin, shorten)
            environment = client.open(sql_server.settings, 30.0)
            async with environment.block() as session:
                first = await session.id()
                await session.pause(2.2)
                assert await session.id() == first
        finally:
            execute(admin, restore)


@promise(23, clients=DRIVERS)
async def test_the_one_slot_of_an_account_is_free_again(
    client: Client, sql_server: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at MAX_USER_CONNECTIONS, held by an environment that is frozen; 20 s are made 1."""
    assert b"wait_timeout=20" in marks.END_OF_BLOCK
    assert messages.IDLE_SECONDS == 20
    monkeypatch.setattr(marks, "END_OF_BLOCK", marks.END_OF_BLOCK.replace(b"wait_timeout=20", b"wait_timeout=1"))
    monkeypatch.setattr(messages, "IDLE_SECONDS", 1)
    user = f"one_slot_{CLIENTS.index(client.name)}"
    sql_server.add_user(user, "a-password")
    with sql_server.admin() as admin:
        execute(
            admin,
            f"ALTER USER {user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1"
            if client.engine == "mariadb"
            else f"ALTER ROLE {user} CONNECTION LIMIT 1",
        )
    with Trouble(sql_server) as first, Trouble(sql_server) as second:
        login = {"user": user, "password": "a-password"}
        async with client.open(first.settings() | login, 1.0).block(20.0) as session:
            held = await session.id()
        async with client.open(second.settings() | login, 1.0).block(20.0) as session:
            assert await session.id() != held
        assert not is_alive(sql_server, held)


# What it costs --------------------------------------------------------------------------------------------------------


@promise(20)
async def test_no_thread(client: Client, sql_server: SqlServer) -> None:
    before = threading.active_count()
    for _ in range(3):
        environment = client.open(sql_server.settings, 30.0)
        async with environment.block() as connection:
            await connection.rows("SELECT 20")
            assert threading.active_count() == before


DELAY = 0.1


def _raw_round_trips(client: Client, network: Trouble) -> float:
    settings = network.settings()
    where: dict[str, Any] = {name: settings[name] for name in ("host", "port", "user", "password")}
    if client.engine == "mariadb":
        raw: Any = pymysql.connect(**where, database=settings["database"], ssl_disabled=True)
    else:
        raw = psycopg.connect(**where, dbname=settings["database"])
    with raw:
        execute(raw, "SELECT 20")
        raw.commit()
        network.delay = DELAY
        began = time.monotonic()
        execute(raw, "SELECT 20", "SELECT 20")
        raw.commit()
        took = time.monotonic() - began
        network.delay = 0
    return took


@promise(20)
async def test_as_many_round_trips_as_the_raw_driver(client: Client, network: Trouble) -> None:
    """Told by the time of an invocation through a network on which each answer takes 0.1 s.

    Between two invocations lies more than a round trip, as Lambda's own. What takes longer is the machine's, so that
    one invocation in time is enough.
    """
    raw = min(_raw_round_trips(client, network) for _ in range(3))
    environment = client.open(network.settings(), 30.0)
    async with environment.block() as connection:
        await connection.rows("SELECT 20")
    network.delay = DELAY
    took = []
    for _ in range(20):
        await connection.pause(1.5 * DELAY)
        began = time.monotonic()
        async with environment.block() as connection:
            await connection.rows("SELECT 20")
            await connection.rows("SELECT 20")
        took.append(time.monotonic() - began)
        if took[-1] < raw + 0.7 * DELAY:
            return
    raise AssertionError(f"the raw driver needs {raw:.2f} s, the runtime {min(took):.2f} s at best")


@promise(21, clients=DRIVERS)
async def test_slow_replies_cost_no_connection(
    client: Client, network: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer comes later than a look waits for one; what is 1 s and 1.05 s is made shorter."""
    for module in (mysql_session, wire):
        assert module.CHECK_TIMEOUT_SECONDS == 1.0
        monkeypatch.setattr(module, "CHECK_TIMEOUT_SECONDS", 0.2)
    environment = client.open(network.settings(), 20.0)
    network.delay = 0.25
    for number in range(3):
        async with environment.block() as connection:
            assert await connection.rows("SELECT 21") == [(21,)]
        if number == 1:
            _has_paused(environment)
    assert network.connections == 1


@promise(22)
async def test_a_nested_block_says_so_at_once(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, 20.0)
    began = time.monotonic()
    async with environment.block() as connection:
        with pytest.raises(breakwater.BreakwaterError, match="one connection"):
            async with environment.block():
                pass
        # a helper without the context, or with it in a block without
        for context in (None, Context(20, environment.request_id)):
            with pytest.raises(breakwater.BreakwaterError, match="one connection"):
                async with entered(environment.database.connection(context)):
                    pass
        assert await connection.rows("SELECT 22") == [(22,)]
        assert sql_server.sessions() == 1
    assert time.monotonic() - began < 10


@promise(22, clients=("SQLAlchemy, PyMySQL", "SQLAlchemy, psycopg"))
async def test_the_engine_uses_the_one_connection(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, 20.0)
    async with environment.block() as connection:
        await connection.rows("SELECT 22")
    with environment.database.connection(Context(20)) as connection:
        rows(connection, "SELECT 22")
    for _ in range(3):
        with environment.database.engine().connect() as connection:
            connection.exec_driver_sql("SELECT 22")
    assert sql_server.sessions() == 1
