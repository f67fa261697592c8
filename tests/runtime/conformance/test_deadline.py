"""The deadline bounds every wait, on both sides."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from servers.sql import execute, is_alive

from breakwater_runtime.deadline import MARGIN_SECONDS
from tests.runtime.conformance.clients import DRIVERS, awaited, each, entered
from tests.runtime.conformance.observer import observer
from tests.runtime.conformance.process import ClientProcess
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.stage import play
from tests.runtime.conformance.trouble import Fault, SilentAddress, Trouble
from tests.runtime.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Client
    from tests.runtime.conformance.stage import Scene

# The runtime stops half a second before that; what it takes longer than that is the machine's. A wait that nothing
# bounds, or that each statement begins anew, is longer than both.
SECONDS = 2.0
NOISE_SECONDS = 2.0
# What isn't measured has time enough on any machine
LONG_SECONDS = 30.0


@contextmanager
def raises_in_time(*texts: str, seconds: float = SECONDS) -> Iterator[None]:
    """The error names where and what, and leaves the handler the time to say so."""
    began = time.monotonic()
    with pytest.raises(Exception) as caught:
        yield
    took = time.monotonic() - began
    assert took < seconds - MARGIN_SECONDS + NOISE_SECONDS, f"{caught.value!r} after {took:.2f} s"
    for text in texts:
        assert text in str(caught.value)


async def works(environment: Any, seconds: float | None = None) -> None:
    async with environment.block(seconds) as connection:
        assert await connection.rows("SELECT 1") == [(1,)]


LONG = {
    "mariadb": "SELECT seq, REPEAT('x', 1000) FROM seq_1_to_5000",
    "postgresql": "SELECT n, REPEAT('x', 1000) FROM generate_series(1, 5000) n",
}


# Names and connects ---------------------------------------------------------------------------------------------------

SILENT = ("127.0.0.21", "127.0.0.22", "127.0.0.23")
NAMES: dict[str, tuple[str, ...] | None] = {
    "silent.test": SILENT,
    "one-of-three.test": (SILENT[0], "127.0.0.1", SILENT[1]),
    "nowhere.test": (),
    "nobody-answers.test": None,
    "ipv6.test": ("::1",),
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the resolver know the NAMES; None stands for one that never answers."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *more: int) -> list[Any]:
        if host not in NAMES:
            return real(host, port, *more)
        if socket.AI_NUMERICHOST in more[-1:]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = NAMES[host]
        if addresses is None:
            time.sleep(3 * SECONDS)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found for address in addresses for found in real(address, port, 0, socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    # a name is no loopback address
    monkeypatch.setenv("BREAKWATER_PLAIN_TEXT", "the tests' servers")


async def _ipv6(own: Client, network: Trouble, server: SqlServer) -> None:
    """A server that has no other address."""
    with Trouble(server, host="::1") as far:
        await works(own.open(far.settings() | {"host": "ipv6.test"}, LONG_SECONDS))
        environment = own.open(far.settings(), LONG_SECONDS)
        await works(environment)
        far.at("SELECT 6", Fault.ANSWER_LOST)
        with raises_in_time(f"[::1]:{far.port}"):
            async with environment.block(SECONDS) as connection:
                await connection.rows("SELECT 6")
        await works(environment)
    with pytest.raises(Exception, match=rf"\[::1\]:{far.port}"):
        await works(environment, SECONDS)


@promise(1, 2)
def test_names(client: Client, sql_server: SqlServer, names: None) -> None:
    def to(host: str) -> Scene:
        async def scene(own: Client, network: Trouble, server: SqlServer) -> None:
            environment = own.open(server.settings | {"host": host}, SECONDS)
            with raises_in_time(host):
                await works(environment)

        return scene

    async def one_of_three(own: Client, network: Trouble, server: SqlServer) -> None:
        await works(own.open(server.settings | {"host": "one-of-three.test"}, 12.0))

    silent = [SilentAddress(address, sql_server.port) for address in SILENT]
    try:
        play(
            client,
            sql_server,
            {host: to(host) for host in NAMES if host not in ("one-of-three.test", "ipv6.test")}
            | {"one of three": one_of_three, "IPv6": _ipv6},
        )
    finally:
        for address in silent:
            address.close()


def connect(marker: str, fault: Fault) -> Scene:
    async def scene(own: Client, network: Trouble, server: SqlServer) -> None:
        network.at(marker, fault, times=100)
        with raises_in_time(f"{network.host}:{network.port}"):
            await works(own.open(network.settings(), SECONDS))

    return scene


@promise(3)
def test_a_server_that_accepts_and_says_nothing(client: Client, sql_server: SqlServer) -> None:
    scenes = {str(fault): connect("", fault) for fault in (Fault.MESSAGE_LOST, Fault.ANSWER_LOST, Fault.DRIP)}
    # MySQL's answer to the greeting and PostgreSQL's startup message name the user
    play(client, sql_server, scenes | {"the login": connect("app", Fault.ANSWER_LOST)})


# Statements -----------------------------------------------------------------------------------------------------------


STATEMENT_SECONDS = 3.0


def failing(work: Callable[[Any, Trouble, Client], Any], *texts: str, prepared: str = "", pause: float = 0.0) -> Scene:
    """Raise in time, and work on another session afterwards."""

    async def scene(own: Client, network: Trouble, server: SqlServer) -> None:
        environment = own.open(network.settings(), LONG_SECONDS)
        await works(environment)
        if prepared:
            with observer(server) as admin:
                execute(admin, prepared)
        where = [text.format(where=f"{network.host}:{network.port}") for text in texts]
        with raises_in_time(*where, seconds=STATEMENT_SECONDS):
            async with environment.block(STATEMENT_SECONDS) as connection:
                await work(connection, network, own)
        network.delay = 0
        time.sleep(pause)
        began = time.monotonic()
        await works(environment)
        assert time.monotonic() - began < LONG_SECONDS / 2
        # more where a busy machine lets a look at the new one take longer than its second
        assert network.connections >= 2

    return scene


def stuck(statement: str | dict[str, str], fault: Fault, marker: str, *texts: str) -> Scene:
    async def work(connection: Any, network: Trouble, own: Client) -> None:
        network.at(marker, fault)
        await connection.rows(statement if isinstance(statement, str) else statement[own.engine])

    return failing(work, *texts)


async def _stream(connection: Any, network: Trouble, own: Client) -> None:
    network.at("REPEAT", Fault.HALF_AN_ANSWER)
    async for _ in connection.stream(LONG[own.engine]):
        pass


async def _three_statements(connection: Any, network: Trouble, own: Client) -> None:
    """Each slow answer is in time by itself."""
    network.delay = 0.9
    for _ in range(30):
        await connection.rows("SELECT 3")


def _commit(fault: Fault) -> Scene:
    table = f"committed_{fault.name.lower()}"

    async def work(connection: Any, network: Trouble, own: Client) -> None:
        await connection.execute(f"INSERT INTO {table} VALUES (1)")
        network.at("COMMIT", fault)

    return failing(work, "unknown", prepared=f"CREATE TABLE IF NOT EXISTS {table} (id INT)")


def _rollback(fault: Fault) -> Scene:
    table = f"rolled_back_{fault.name.lower()}"

    async def work(connection: Any, network: Trouble, own: Client) -> None:
        await connection.execute(f"INSERT INTO {table} VALUES (1)")
        network.at("ROLLBACK", fault)
        raise ValueError("mine")

    # the first byte of a drip is there then
    return failing(work, prepared=f"CREATE TABLE IF NOT EXISTS {table} (id INT)", pause=0.2)


STATEMENTS: dict[str, Scene] = {
    "a statement is lost": stuck("SELECT 2", Fault.MESSAGE_LOST, "SELECT 2", "{where}"),
    "an answer is lost": stuck("SELECT 2", Fault.ANSWER_LOST, "SELECT 2", "{where}"),
    "half a result": stuck(LONG, Fault.HALF_AN_ANSWER, "REPEAT"),
    "a byte each half second": stuck("SELECT 5", Fault.DRIP, "SELECT 5"),
    "a server that reads nothing": stuck(f"SELECT '5{'x' * 12_000_000}'", Fault.NOT_READ, "SELECT '5"),
    "a stream that stops": failing(_stream),
    "three statements": failing(_three_statements),
    "a COMMIT is lost": _commit(Fault.MESSAGE_LOST),
    "COMMIT's answer is lost": _commit(Fault.ANSWER_LOST),
    # the block's own error comes out; SQLAlchemy raises its own of the rollback instead
    "a ROLLBACK is lost": _rollback(Fault.MESSAGE_LOST),
    "a ROLLBACK is answered byte by byte": _rollback(Fault.DRIP),
}


async def _second_result(connection: Any, network: Trouble, own: Client) -> None:
    network.at("CALL two_results", Fault.HALF_AN_ANSWER)
    cursor = await awaited(connection.raw.cursor())
    await awaited(cursor.execute("CALL two_results()"))
    while await awaited(cursor.nextset()):
        pass


_TWO_RESULTS = (
    "CREATE OR REPLACE PROCEDURE two_results() BEGIN SELECT 1; SELECT REPEAT('x', 1000) FROM seq_1_to_5000; END"
)


async def _copy(connection: Any, network: Trouble, own: Client) -> None:
    network.at("COPY", Fault.HALF_AN_ANSWER)
    rows = "COPY (SELECT REPEAT('x', 1000) FROM generate_series(1, 5000)) TO STDOUT"
    async with entered(connection.raw.cursor().copy(rows)) as copy:
        async for _ in each(copy):
            pass


async def _copy_from(connection: Any, network: Trouble, own: Client) -> None:
    network.at("COPY", Fault.NOT_READ)
    async with entered(connection.raw.cursor().copy("COPY copied FROM STDIN")) as copy:
        for _ in range(20_000):
            await awaited(copy.write(b"x" * 1000 + b"\n"))


async def _pipeline(connection: Any, network: Trouble, own: Client) -> None:
    network.at("'piped'", Fault.ANSWER_LOST)
    async with entered(connection.raw.pipeline()):
        await awaited(connection.raw.execute("SELECT 'piped'"))
        cursor = await awaited(connection.raw.execute("SELECT 'piped'"))
        await awaited(cursor.fetchone())


async def _notifies(connection: Any, network: Trouble, own: Client) -> None:
    """Nothing is notified, and the caller gives no timeout."""
    await connection.execute("LISTEN nobody", "SELECT 1")
    async for _ in each(connection.raw.notifies()):
        pass


async def _within_a_stream(connection: Any, network: Trouble, own: Client) -> None:
    """psycopg by itself waits for its own lock, for ever."""
    async for _ in connection.stream(LONG[own.engine]):
        await connection.rows("SELECT 4")


async def _another_s_exchange(connection: Any, network: Trouble, own: Client) -> None:
    network.black_hole()
    lock = connection.raw.lock
    if hasattr(lock, "__aenter__"):
        await asyncio.create_task(lock.__aenter__())
    else:
        threading.Thread(target=lock.__enter__).start()
        time.sleep(0.1)
    await connection.rows("SELECT 4")


async def _cancel(connection: Any, network: Trouble, own: Client) -> None:
    """A connection of its own asks for it."""
    await connection.rows("SELECT 4")
    network.at("", Fault.MESSAGE_LOST)
    connection.raw.cancel()


async def _cancel_safe(connection: Any, network: Trouble, own: Client) -> None:
    await connection.rows("SELECT 4")
    network.at("", Fault.MESSAGE_LOST)
    await awaited(connection.raw.cancel_safe())


OF_A_DRIVER: dict[str, dict[str, Scene]] = {
    "mariadb": {"the second result of a CALL": failing(_second_result, prepared=_TWO_RESULTS)},
    "postgresql": {
        "COPY to": failing(_copy),
        "COPY from": failing(_copy_from, prepared="CREATE TABLE IF NOT EXISTS copied (id TEXT)"),
        "a pipeline": failing(_pipeline),
        "notifies": failing(_notifies, "{where}"),
        "a statement within a stream": failing(_within_a_stream, "would have to end first"),
        "another's exchange": failing(_another_s_exchange, "until the invocation's deadline"),
        "cancel": failing(_cancel),
        "cancel_safe": failing(_cancel_safe),
    },
}


@promise(4, 5, 9)
def test_a_statement_that_is_never_answered(client: Client, sql_server: SqlServer) -> None:
    play(client, sql_server, STATEMENTS | (OF_A_DRIVER[client.engine] if client.name in DRIVERS else {}))


# Courtesies and limits ------------------------------------------------------------------------------------------------


async def _an_answered_commit(own: Client, network: Trouble, server: SqlServer) -> None:
    """The best of five counts: what is longer is the machine's."""
    environment = own.open(network.settings(), 10.0)
    took = []
    with observer(server) as admin:
        execute(admin, "DROP TABLE IF EXISTS courteous", "CREATE TABLE courteous (id INT)")
    for _ in range(5):
        await works(environment)
        async with environment.block() as connection:
            await connection.execute("INSERT INTO courteous VALUES (1)")
            network.at("COMMIT", Fault.SILENT_AFTERWARDS)
            began = time.monotonic()
        took.append(time.monotonic() - began)
        network.cut()
        await connection.pause(0.2)
        if took[-1] < 0.2:
            return
    raise AssertionError(f"the block's end took {took}")


async def _a_dead_line(own: Client, network: Trouble, server: SqlServer) -> None:
    """After a pause the session is asked whether it lives; that is a courtesy, too."""
    environment = own.open(network.settings(), 10.0)
    async with environment.block() as connection:
        await connection.rows("SELECT 1")
    network.black_hole()
    await connection.pause(2.6)
    began = time.monotonic()
    await works(environment)
    assert time.monotonic() - began < 1.5 + NOISE_SECONDS


async def _a_shorter_limit_of_the_user_s(own: Client, network: Trouble, server: SqlServer) -> None:
    limit, slow = {
        "mariadb": ("SET SESSION max_statement_time = 0.3", "SELECT SLEEP(20)"),
        "postgresql": ("SET statement_timeout = 300", "SELECT pg_sleep(20)"),
    }[own.engine]
    environment = own.open(network.settings(), 30.0)
    began = time.monotonic()
    with pytest.raises(Exception, match=r"timeout|interrupted"):
        async with environment.block() as connection:
            await connection.execute(limit, slow)
    assert time.monotonic() - began < 10


async def _gone_without_a_farewell(own: Client, network: Trouble, server: SqlServer) -> None:
    seconds = 1.5
    environment = own.open(network.settings(), LONG_SECONDS)
    await works(environment)
    began = time.monotonic()
    session = 0
    with pytest.raises(Exception):  # noqa: B017 -- SQLAlchemy raises its own, of the rollback
        async with environment.block(seconds) as connection:
            session = await connection.id()
            network.black_hole()
            raise ZeroDivisionError
    assert session
    wait_until(lambda: not is_alive(server, session), seconds=15)
    assert time.monotonic() - began < seconds + 3 + NOISE_SECONDS


@promise(7, 8, 11)
def test_courtesies_and_limits(client: Client, sql_server: SqlServer) -> None:
    play(
        client,
        sql_server,
        {
            "an answered COMMIT waits for no courtesy": _an_answered_commit,
            "a block on a dead line begins soon": _a_dead_line,
            "a shorter limit of the user's wins": _a_shorter_limit_of_the_user_s,
            "gone without a farewell": _gone_without_a_farewell,
        },
    )


# What each environment waits in when it is killed. Any number may be in the first, but only one in MariaDB's SLEEP:
# several whose time is over at once hold up the server's own timer, for up to 2 s each.
STUCK: dict[str, tuple[tuple[str, ...], ...]] = {
    "mariadb": (
        ("UPDATE locked SET id = 1",),
        ("SELECT SLEEP(60)",),
        ("ALTER TABLE locked ADD COLUMN name TEXT",),
        ("SELECT COUNT(*) FROM seq_1_to_100000 a, seq_1_to_100000 b WHERE a.seq + b.seq = 7",),
    ),
    "postgresql": (
        ("UPDATE locked SET id = 1",),
        ("SELECT pg_sleep(60)",),
        ("LOCK TABLE locked",),
        # COMMIT waits in a deferred trigger
        ("INSERT INTO slow VALUES (1)", "SET CONSTRAINTS ALL DEFERRED"),
    ),
}
_DEFERRED = (
    "DROP TABLE IF EXISTS slow",
    "CREATE TABLE slow (id INT)",
    "CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION wait()",
)


@promise(10, clients=DRIVERS)
def test_kills_at_the_timeout_leave_no_sessions(client: Client, sql_server: SqlServer) -> None:
    """Each environment is ended as Lambda does it, while its statement waits or works: all at once, or two by two."""
    seconds = 1.5
    stuck = STUCK[client.engine]
    at_once = 10 if client.name in ("PyMySQL", "psycopg") else 2
    stuck += (stuck[0],) * (at_once - len(stuck))
    holder = client.open(sql_server.settings, 60.0)
    environments = [ClientProcess(client.name, sql_server.settings, 60.0) for _ in stuck]

    with observer(sql_server) as admin:
        execute(admin, "DROP TABLE IF EXISTS locked", "CREATE TABLE locked (id INT PRIMARY KEY)")
        if client.engine == "postgresql":
            execute(admin, *_DEFERRED)

    async def kill() -> list[int]:
        left: list[int] = []
        async with holder.block() as connection:
            await connection.execute("INSERT INTO locked VALUES (1)")
            await connection.commit()
            await connection.execute("UPDATE locked SET id = 1")
            for number in range(0, len(stuck), at_once):
                share = environments[number : number + at_once]
                for environment in share:
                    environment.invoke(["rows", "SELECT 1"])
                for environment, statements in zip(share, stuck[number:], strict=False):
                    environment.begin(*(["execute", statement] for statement in statements), seconds=seconds)
                for environment in share:
                    environment.wait_until_begun()
                left.append(sql_server.sessions() - 1)
                time.sleep(seconds)
                for environment in share:
                    environment.kill()
            # the holder's own
            wait_until(lambda: sql_server.sessions() == 1)
        return left

    try:
        wait_until(lambda: all(environment.is_ready() for environment in environments), seconds=60)
        assert client.finish(kill()) == [at_once] * (len(stuck) // at_once)
    finally:
        for environment in environments:
            environment.kill()
