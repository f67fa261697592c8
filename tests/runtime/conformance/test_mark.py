"""Live or idle is written on the server by the block itself."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest

import breakwater_runtime as breakwater
from tests.runtime.conformance.clients import CLIENTS, DRIVERS, Client
from tests.runtime.conformance.process import ClientProcess
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.trouble import Trouble
from tests.runtime.sql import Context, execute, rows, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from tests.runtime.conformance.clients import Session
    from tests.runtime.sql import SqlServer

# A session may be ended once it has been idle for 4 s, and MariaDB counts whole seconds.
LONGER_THAN_IDLE = 6.5


class Hunter:
    """Ten times a second, an environment that finds the server above its utilization."""

    def __init__(self, server: SqlServer) -> None:
        self._network = Trouble(server)
        self._looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hunt)
        self.ended = 0
        self.errors: list[BaseException] = []

    def once(self) -> None:
        """Look once: a new environment looks before its first block."""
        self._looks += 1
        # settings of its own, so that it is a new one
        settings = self._network.settings() | {"utilization": 0.0, "function_timeout": 30 + self._looks / 1000}
        database = breakwater.database(**settings)
        try:
            with database.connection(Context(30)):
                pass
        finally:
            self.ended += database.counters.zombies_ended
            database.close()

    def _hunt(self) -> None:
        while not self._over.wait(0.1):
            try:
                self.once()
            except BaseException as error:
                self.errors.append(error)

    def __enter__(self) -> Self:
        self._network.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join()
        self._network.__exit__()

    def begin(self) -> None:
        """Hunt until the end."""
        self._thread.start()


@contextmanager
def hunted(server: SqlServer) -> Iterator[Hunter]:
    with Hunter(server) as hunter:
        hunter.begin()
        yield hunter
    assert not hunter.errors


async def _before_the_first(session: Session, server: SqlServer) -> None:
    await session.pause(LONGER_THAN_IDLE)


async def _between_two(session: Session, server: SqlServer) -> None:
    await session.rows("SELECT 1")
    await session.pause(LONGER_THAN_IDLE)


async def _after_the_users_commit(session: Session, server: SqlServer) -> None:
    await session.rows("SELECT 1")
    await session.commit()
    await session.pause(LONGER_THAN_IDLE)


async def _after_the_users_rollback(session: Session, server: SqlServer) -> None:
    await session.rows("SELECT 1")
    await session.rollback()
    await session.pause(LONGER_THAN_IDLE)


async def _a_long_statement(session: Session, server: SqlServer) -> None:
    await session.rows(f"SELECT {'SLEEP' if server.engine == 'mariadb' else 'pg_sleep'}({LONGER_THAN_IDLE})")


async def _a_stream(session: Session, server: SqlServer) -> None:
    # more than the buffers of both ends hold
    statement = (
        "SELECT seq, REPEAT('x', 1000) FROM seq_1_to_20000"
        if server.engine == "mariadb"
        else "SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n"
    )
    seen = 0
    async for _ in session.stream(statement):
        if seen == 10:
            await session.pause(LONGER_THAN_IDLE)
        seen += 1
    assert seen == 20_000


async def _everything_thrown_away(session: Session, server: SqlServer) -> None:
    statements = (
        ["DO RELEASE_ALL_LOCKS()"]
        if server.engine == "mariadb"
        else ["RESET ALL", "SELECT pg_advisory_unlock_all()", "RESET ROLE"]
    )
    await session.execute(*statements)
    await session.commit()
    await session.execute(*statements)
    await session.commit()
    await session.pause(LONGER_THAN_IDLE)


LIVE: dict[str, Callable[[Session, SqlServer], Any]] = {
    "before the first statement": _before_the_first,
    "between two statements": _between_two,
    "after the user's commit": _after_the_users_commit,
    "after the user's rollback": _after_the_users_rollback,
    "in a long statement": _a_long_statement,
    "in a stream": _a_stream,
    "with everything thrown away": _everything_thrown_away,
}


@promise(12, 13, 14, 15)
def test_no_live_session_is_ended(client: Client, sql_server: SqlServer) -> None:
    """Each kind of block at once, each an environment of its own, the second of its life."""
    failed: dict[str, BaseException] = {}

    def live(name: str, work: Callable[[Session, SqlServer], Any], arguments: dict[str, Any]) -> None:
        own = Client(client.name)
        # one database at one address is one environment's, so each has an address of its own
        network = own_networks.enter_context(Trouble(sql_server))
        environment = own.open(network.settings(), 60.0, **arguments)

        async def invocation() -> None:
            async with environment.block() as session:
                await session.rows("SELECT 1")
            async with environment.block() as session:
                await work(session, sql_server)
                assert await session.rows("SELECT 12") == [(12,)]

        try:
            own.finish(invocation())
        except BaseException as error:
            failed[name] = error
        finally:
            own.close()

    kinds: list[dict[str, Any]] = [{}, {"autocommit": True}] if "SQLAlchemy" not in client.name else [{}]
    threads = [
        threading.Thread(target=live, args=(f"{name}, {arguments}", work, arguments))
        for name, work in LIVE.items()
        for arguments in kinds
    ]
    with ExitStack() as own_networks, hunted(sql_server):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed


@promise(13, clients=DRIVERS)
def test_python_s_lock_held_and_frozen_within_the_block(client: Client, sql_server: SqlServer) -> None:
    with (
        ClientProcess(client.name, sql_server.settings, 60.0) as busy,
        ClientProcess(client.name, sql_server.settings, 60.0) as frozen,
        hunted(sql_server),
    ):
        for process in (busy, frozen):
            process.invoke(["rows", "SELECT 1"])
        busy.begin(["rows", "SELECT 13"], ["hold Python's lock", LONGER_THAN_IDLE], ["rows", "SELECT 14"])
        frozen.begin(["rows", "SELECT 13"], ["pause", 1.0], ["rows", "SELECT 14"])
        frozen.wait_until_begun()
        time.sleep(0.3)
        frozen.freeze()
        time.sleep(LONGER_THAN_IDLE)
        frozen.thaw()
        for process in (busy, frozen):
            assert process.end() == {"seen": [[13], [14]]}


@promise(17, clients=DRIVERS)
def test_frozen_between_blocks_is_reclaimed_and_heals(client: Client, sql_server: SqlServer) -> None:
    with ClientProcess(client.name, sql_server.settings, 60.0) as environment:
        environment.invoke(["rows", "SELECT 17"])
        began = time.monotonic()
        environment.freeze()
        assert sql_server.sessions() == 1
        with hunted(sql_server) as hunter:
            wait_until(lambda: hunter.ended == 1, seconds=15)
        # not before: an invocation that follows within 2.5 s doesn't even ask
        assert 3 <= time.monotonic() - began < 8
        environment.thaw()
        assert environment.invoke(["rows", "SELECT 17"]) == [[17]]


@promise(19)
async def test_others_are_left_alone(client: Client, sql_server: SqlServer) -> None:
    """Another user's session, and a prompt of the same user's."""
    neighbour = f"neighbour_{client.name.replace(', ', '_').replace(' ', '_').lower()}"
    sql_server.add_user(neighbour, "a-password")
    prompts = []
    for user, password in ((sql_server.user, sql_server.password), (neighbour, "a-password")):
        if client.engine == "mariadb":
            prompt: Any = pymysql.connect(
                host=sql_server.host,
                port=sql_server.port,
                user=user,
                password=password,
                database=sql_server.database,
                ssl_disabled=True,
            )
        else:
            prompt = psycopg.connect(
                host=sql_server.host,
                port=sql_server.port,
                user=user,
                password=password,
                dbname=sql_server.database,
                autocommit=True,
            )
        execute(prompt, "SELECT 1")
        prompts.append(prompt)
    time.sleep(LONGER_THAN_IDLE - 1)
    with Hunter(sql_server) as hunter:
        hunter.once()
    for prompt in prompts:
        assert rows(prompt, "SELECT 19") in ([(19,)], ((19,),))
        prompt.close()
    assert hunter.ended == 0


# aiomysql resolves every host, addresses too, in a thread of asyncio's
@promise(20, clients=tuple(name for name in CLIENTS if name != "aiomysql"))
async def test_no_thread(client: Client, sql_server: SqlServer) -> None:
    before = threading.active_count()
    for _ in range(3):
        environment = client.open(sql_server.settings, 30.0)
        async with environment.block() as connection:
            await connection.rows("SELECT 20")
            assert threading.active_count() == before


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
        network.delay = 0.1
        began = time.monotonic()
        execute(raw, "SELECT 20", "SELECT 20")
        raw.commit()
        took = time.monotonic() - began
        network.delay = 0
    return took


@promise(20, clients=(*DRIVERS, "SQLAlchemy, psycopg"))
async def test_as_many_round_trips_as_the_raw_driver(client: Client, network: Trouble) -> None:
    """Told by the time of an invocation through a network on which each answer takes 0.1 s; the best of three."""

    async def invocation() -> float:
        began = time.monotonic()
        async with environment.block() as connection:
            await connection.rows("SELECT 20")
            await connection.rows("SELECT 20")
        return time.monotonic() - began

    raw = min(_raw_round_trips(client, network) for _ in range(3))
    environment = client.open(network.settings(), 30.0)
    await invocation()
    network.delay = 0.1
    ours = min([await invocation() for _ in range(3)])
    assert int(ours / 0.1) <= int(raw / 0.1)


@promise(21, clients=DRIVERS)
async def test_slow_replies_cost_no_connection(client: Client, network: Trouble) -> None:
    environment = client.open(network.settings(), 20.0)
    network.delay = 1.05
    for _ in range(2):
        async with environment.block() as connection:
            assert await connection.rows("SELECT 21") == [(21,)]
    assert network.connections == 1


@promise(22)
async def test_a_nested_block_says_so_at_once(client: Client, sql_server: SqlServer) -> None:
    environment = client.open(sql_server.settings, 20.0)
    began = time.monotonic()
    async with environment.block() as connection:
        with pytest.raises(breakwater.BreakwaterError, match="one connection"):
            async with environment.block():
                pass
        assert await connection.rows("SELECT 22") == [(22,)]
        assert sql_server.sessions() == 1
    assert time.monotonic() - began < 5


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
