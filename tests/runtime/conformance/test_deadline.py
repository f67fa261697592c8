"""The deadline bounds every wait, on both sides."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from breakwater_runtime.deadline import MARGIN_SECONDS
from tests.runtime.conformance.clients import CLIENTS, DRIVERS
from tests.runtime.conformance.process import ClientProcess
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.trouble import Fault, SilentAddress, Trouble
from tests.runtime.sql import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.runtime.conformance.clients import Client
    from tests.runtime.sql import SqlServer

# The runtime stops half a second before that; what it takes longer than that is the machine's.
SECONDS = 2.0
NOISE_SECONDS = 0.9


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


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let the name "localhost" lead to these addresses, in this order."""

    def getaddrinfo(_host: str, port: str | int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port))) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@promise(2)
async def test_three_silent_addresses(client: Client, sql_server: SqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["127.0.0.21", "127.0.0.22", "127.0.0.23"]
    silent = [SilentAddress(address, sql_server.port) for address in addresses]
    resolve_to(monkeypatch, *addresses)
    environment = client.open(sql_server.settings | {"host": "localhost"}, SECONDS)
    try:
        with raises_in_time("localhost"):
            await works(environment)
    finally:
        for address in silent:
            address.close()


@promise(2)
async def test_one_of_three_addresses_answers(
    client: Client, sql_server: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = [SilentAddress(address, sql_server.port) for address in ("127.0.0.21", "127.0.0.22")]
    resolve_to(monkeypatch, "127.0.0.21", "127.0.0.22", "127.0.0.1")
    environment = client.open(sql_server.settings | {"host": "localhost"}, 4.0)
    try:
        await works(environment)
    finally:
        for address in silent:
            address.close()


@promise(3)
@pytest.mark.parametrize("fault", [Fault.MESSAGE_LOST, Fault.ANSWER_LOST, Fault.DRIP])
async def test_a_server_that_accepts_and_says_nothing(client: Client, network: Trouble, fault: Fault) -> None:
    network.at("", fault, times=100)
    with raises_in_time(f"{network.host}:{network.port}"):
        await works(client.open(network.settings(), SECONDS))


@promise(3)
async def test_a_login_that_is_never_answered(client: Client, network: Trouble) -> None:
    # MySQL's answer to the greeting and PostgreSQL's startup message name the user
    network.at("app", Fault.ANSWER_LOST, times=100)
    with raises_in_time(f"{network.host}:{network.port}"):
        await works(client.open(network.settings(), SECONDS))


@promise(4, 9)
@pytest.mark.parametrize("fault", [Fault.MESSAGE_LOST, Fault.ANSWER_LOST])
async def test_a_statement_that_is_never_answered(client: Client, network: Trouble, fault: Fault) -> None:
    environment = client.open(network.settings(), SECONDS)
    await works(environment)
    network.at("SELECT 2", fault)
    with raises_in_time(f"{network.host}:{network.port}"):
        async with environment.block() as connection:
            await connection.rows("SELECT 2")
    await works(environment)
    assert network.connections == 2


@promise(4, 9)
async def test_three_statements_share_the_time(client: Client, network: Trouble) -> None:
    """Each slow answer is in time by itself."""
    environment = client.open(network.settings(), SECONDS)
    await works(environment)
    network.delay = 0.6
    with raises_in_time():
        async with environment.block() as connection:
            for _ in range(5):
                await connection.rows("SELECT 3")
    network.delay = 0
    await works(environment)


LONG = {
    "mariadb": "SELECT seq, REPEAT('x', 1000) FROM seq_1_to_5000",
    "postgresql": "SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n",
}


@promise(4, 9)
async def test_half_a_result(client: Client, network: Trouble) -> None:
    environment = client.open(network.settings(), SECONDS)
    await works(environment)
    network.at("REPEAT('x'" if client.engine == "mariadb" else "repeat('x'", Fault.HALF_AN_ANSWER)
    with raises_in_time():
        async with environment.block() as connection:
            await connection.rows(LONG[client.engine])
    await works(environment)


@promise(4, 9)
async def test_a_stream_that_stops(client: Client, network: Trouble) -> None:
    environment = client.open(network.settings(), SECONDS)
    await works(environment)
    network.at("REPEAT('x'" if client.engine == "mariadb" else "repeat('x'", Fault.HALF_AN_ANSWER)
    with raises_in_time():
        async with environment.block() as connection:
            async for _ in connection.stream(LONG[client.engine]):
                pass
    await works(environment)


@promise(4, 9)
@pytest.mark.parametrize("fault", [Fault.MESSAGE_LOST, Fault.ANSWER_LOST])
async def test_a_commit_that_is_never_answered(client: Client, network: Trouble, fault: Fault) -> None:
    environment = client.open(network.settings(), SECONDS)
    async with environment.block() as connection:
        await connection.execute("DROP TABLE IF EXISTS promised", "CREATE TABLE promised (id INT)")
    with raises_in_time():
        async with environment.block() as connection:
            await connection.execute("INSERT INTO promised VALUES (1)")
            network.at("COMMIT", fault)
    await works(environment)


@promise(4, 9, clients=tuple(name for name in CLIENTS if name != "PyMySQL"))
async def test_a_rollback_that_is_never_answered(client: Client, network: Trouble) -> None:
    """The block's own error comes out, in time; SQLAlchemy raises its own error of the rollback instead."""
    environment = client.open(network.settings(), SECONDS)
    async with environment.block() as connection:
        await connection.execute("DROP TABLE IF EXISTS promised", "CREATE TABLE promised (id INT)")
    with raises_in_time("" if "SQLAlchemy" in client.name else "mine"):
        async with environment.block() as connection:
            await connection.execute("INSERT INTO promised VALUES (1)")
            network.at("ROLLBACK", Fault.MESSAGE_LOST)
            raise ValueError("mine")
    await works(environment)


@promise(5, 9)
async def test_a_byte_each_half_second(client: Client, network: Trouble) -> None:
    environment = client.open(network.settings(), SECONDS)
    await works(environment)
    network.at("SELECT 5", Fault.DRIP)
    with raises_in_time():
        async with environment.block() as connection:
            await connection.rows("SELECT 5")
    await works(environment)


@promise(5, 9)
async def test_a_server_that_reads_nothing(client: Client, network: Trouble) -> None:
    environment = client.open(network.settings(), SECONDS)
    await works(environment)
    network.at("SELECT '5", Fault.NOT_READ)
    with raises_in_time():
        async with environment.block() as connection:
            await connection.rows(f"SELECT '5{'x' * 12_000_000}'")
    await works(environment)


@promise(7)
async def test_an_answered_commit_waits_for_no_courtesy(client: Client, network: Trouble) -> None:
    environment = client.open(network.settings(), 10.0)
    async with environment.block() as connection:
        await connection.execute("DROP TABLE IF EXISTS promised", "CREATE TABLE promised (id INT)")
    async with environment.block() as connection:
        await connection.execute("INSERT INTO promised VALUES (1)")
        network.at("COMMIT", Fault.SILENT_AFTERWARDS)
        began = time.monotonic()
    assert time.monotonic() - began < 0.2 + NOISE_SECONDS


@promise(7)
async def test_a_block_on_a_dead_line_begins_soon(client: Client, network: Trouble) -> None:
    """After a pause the session is asked whether it lives; that is a courtesy, too."""
    environment = client.open(network.settings(), 10.0)
    await works(environment)
    network.black_hole()
    time.sleep(2.6)
    began = time.monotonic()
    await works(environment)
    assert time.monotonic() - began < 2.0


@promise(8)
async def test_a_shorter_limit_of_the_user_wins(client: Client, sql_server: SqlServer) -> None:
    limit, slow = {
        "mariadb": ("SET SESSION max_statement_time = 0.3", "SELECT SLEEP(5)"),
        "postgresql": ("SET statement_timeout = 300", "SELECT pg_sleep(5)"),
    }[client.engine]
    environment = client.open(sql_server.settings, 8.0)
    began = time.monotonic()
    with pytest.raises(Exception, match=r"timeout|interrupted"):
        async with environment.block() as connection:
            await connection.execute(limit, slow)
    assert time.monotonic() - began < 3.0


@promise(10, clients=DRIVERS)
def test_kills_at_the_timeout_leave_no_sessions(client: Client, sql_server: SqlServer) -> None:
    """A share of 2; each environment is ended as Lambda does it, while its statement waits for a lock."""
    seconds, rounds = 1.5, 3
    holder = client.open(sql_server.settings, 60.0)
    environments = [ClientProcess(client.name, sql_server.settings, seconds) for _ in range(2 * rounds)]

    async def kill() -> list[int]:
        left: list[int] = []
        async with holder.block() as connection:
            await connection.execute("DROP TABLE IF EXISTS locked", "CREATE TABLE locked (id INT PRIMARY KEY)")
            await connection.execute("INSERT INTO locked VALUES (1)")
            await connection.commit()
            await connection.execute("UPDATE locked SET id = 1")
            for number in range(rounds):
                share = environments[2 * number : 2 * number + 2]
                for environment in share:
                    environment.begin(["execute", "UPDATE locked SET id = 1"])
                for environment in share:
                    environment.wait_until_begun()
                left.append(sql_server.sessions() - 1)
                time.sleep(seconds)
                for environment in share:
                    environment.kill()
        return left

    try:
        wait_until(lambda: all(environment.is_ready() for environment in environments), seconds=60)
        assert client.finish(kill()) == [2] * rounds
    finally:
        for environment in environments:
            environment.kill()


@promise(11)
async def test_gone_without_a_farewell(client: Client, sql_server: SqlServer, network: Trouble) -> None:
    seconds = 1.0
    environment = client.open(network.settings(), seconds)
    await works(environment)
    began = time.monotonic()
    with pytest.raises(Exception):  # noqa: B017 -- SQLAlchemy raises its own, of the rollback
        async with environment.block() as connection:
            await connection.rows("SELECT 11")
            assert sql_server.sessions() == 1
            network.black_hole()
            raise ZeroDivisionError
    wait_until(lambda: sql_server.sessions() == 0, seconds=10)
    assert time.monotonic() - began < seconds + 3 + 1.5
