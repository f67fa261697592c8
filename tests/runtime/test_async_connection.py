"""The same life of a connection for handlers with an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from servers import MariaDbServer
from servers.sql import SqlServer, end_session, execute, is_alive, sleep_statement

import breakwater_runtime as breakwater
from tests.runtime.conformance.observer import observer
from tests.runtime.lambda_context import Context
from tests.runtime.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def rows(connection: Any, *statements: str) -> Any:
    cursor = connection.cursor()
    if inspect.isawaitable(cursor):
        # aiomysql's
        cursor = await cursor
    async with cursor:
        for statement in statements:
            await cursor.execute(statement)
        return await cursor.fetchall() if cursor.description else []


def question(server: SqlServer) -> str:
    return "SELECT CONNECTION_ID()" if isinstance(server, MariaDbServer) else "SELECT pg_backend_pid()"


def block(
    database: breakwater.AsyncDatabase, *statements: str, context: Context | None = None
) -> Coroutine[Any, Any, Any]:
    async def run() -> Any:
        async with database.connection(context) as connection:
            return await rows(connection, *statements)

    return run()


@pytest.fixture
def database(server: SqlServer, loop: asyncio.AbstractEventLoop) -> Iterator[breakwater.AsyncDatabase]:
    database = breakwater.async_database(**server.settings)
    with observer(server) as admin:
        execute(admin, "DROP TABLE IF EXISTS asynchronous", "CREATE TABLE asynchronous (id INT PRIMARY KEY)")
    yield database
    database.close()


def test_commits_rolls_back_and_keeps_one_session(
    server: SqlServer, database: breakwater.AsyncDatabase, loop: asyncio.AbstractEventLoop
) -> None:
    async def fail() -> None:
        async with database.connection() as connection:
            await rows(connection, "INSERT INTO asynchronous VALUES (2)")
            raise ZeroDivisionError

    run = loop.run_until_complete
    first = run(block(database, question(server)))
    run(block(database, "INSERT INTO asynchronous VALUES (1)"))
    with pytest.raises(ZeroDivisionError):
        run(fail())
    assert run(block(database, "SELECT COUNT(*) FROM asynchronous"))[0][0] == 1
    assert run(block(database, question(server))) == first


def test_heals(server: SqlServer, database: breakwater.AsyncDatabase, loop: asyncio.AbstractEventLoop) -> None:
    run = loop.run_until_complete
    first = run(block(database, question(server)))[0][0]
    end_session(server, first)
    time.sleep(0.1)
    assert run(block(database, question(server)))[0][0] != first


def test_tasks_take_turns(
    server: SqlServer, database: breakwater.AsyncDatabase, loop: asyncio.AbstractEventLoop
) -> None:
    async def all_at_once() -> set[int]:
        answers = await asyncio.gather(*(block(database, question(server)) for _ in range(10)))
        return {answer[0][0] for answer in answers}

    assert len(loop.run_until_complete(all_at_once())) == 1


def test_a_sibling_task_waits_no_longer_than_its_own_deadline(
    server: SqlServer, database: breakwater.AsyncDatabase, loop: asyncio.AbstractEventLoop
) -> None:
    async def hold(begun: asyncio.Event, over: asyncio.Event) -> int:
        async with database.connection(Context(30)) as connection:
            begun.set()
            await over.wait()
            return (await rows(connection, "SELECT 9"))[0][0]

    async def both() -> int:
        begun, over = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold(begun, over))
        await begun.wait()
        started = time.monotonic()
        with pytest.raises(breakwater.ConnectionUnavailable, match="others in this environment"):
            await block(database, "SELECT 1", context=Context(1))
        assert time.monotonic() - started < 5
        over.set()
        return await holder

    assert loop.run_until_complete(both()) == 9


def test_leaves_no_state(
    server: SqlServer, database: breakwater.AsyncDatabase, loop: asyncio.AbstractEventLoop
) -> None:
    change, look = (
        ("SET @tenant = 7", "SELECT @tenant")
        if isinstance(server, MariaDbServer)
        else ("SET search_path = nowhere", "SELECT nullif(current_setting('search_path'), '\"$user\", public')")
    )
    run = loop.run_until_complete
    first = run(block(database, question(server)))
    run(block(database, change))
    assert run(block(database, look))[0][0] is None
    assert run(block(database, question(server))) == first


def test_another_loop_gets_another_connection(server: SqlServer, database: breakwater.AsyncDatabase) -> None:
    first, second = (asyncio.run(block(database, question(server)))[0][0] for _ in range(2))
    assert first != second
    wait_until(lambda: not is_alive(server, first))


def test_a_statement_that_ran_out_of_time_within_a_block_is_no_success(
    server: SqlServer, database: breakwater.AsyncDatabase, loop: asyncio.AbstractEventLoop
) -> None:
    async def swallow() -> None:
        async with database.connection() as connection:
            await rows(connection, "INSERT INTO asynchronous VALUES (1)")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(rows(connection, sleep_statement(server, 0.5)), 0.05)

    with pytest.raises(breakwater.TransactionAborted, match="rolled back"):
        loop.run_until_complete(swallow())
    assert loop.run_until_complete(block(database, "SELECT COUNT(*) FROM asynchronous"))[0][0] == 0


def test_says_what_was_tried(server_type: type[SqlServer], loop: asyncio.AbstractEventLoop) -> None:
    with server_type() as server:
        settings = server.settings
    database = breakwater.async_database(**settings)
    with pytest.raises(breakwater.ConnectionUnavailable, match="no connection after"):
        loop.run_until_complete(block(database, "SELECT 1", context=Context(1.5)))


def test_a_server_that_ends_the_handshake_is_not_called_silent(
    tls_mariadb: MariaDbServer, loop: asyncio.AbstractEventLoop
) -> None:
    """asyncio's error for it has no text."""
    with socket.create_connection((tls_mariadb.host, tls_mariadb.port)) as known:
        greeting = known.recv(4096)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def end_each_handshake() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as one:
                        one.sendall(greeting)
                        one.recv(4096)
                        one.recv(4096)

        threading.Thread(target=end_each_handshake, daemon=True).start()
        database = breakwater.async_database(**(tls_mariadb.settings | {"port": listener.getsockname()[1]}))
        with pytest.raises(breakwater.ConnectionUnavailable, match="connection lost"):
            loop.run_until_complete(block(database, "SELECT 1", context=Context(2)))
        listener.shutdown(socket.SHUT_RDWR)
