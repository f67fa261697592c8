"""What happens between and within the bursts."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from dataclasses import dataclass
from typing import Any

import psycopg
import pymysql
from servers import MariaDbServer, Network
from servers.sql import execute, rows

from benchmarks.runtime.bursts import Burst, burst
from benchmarks.runtime.execution_environment import Environment, Function, start
from benchmarks.runtime.postgresql_server import PostgreSqlServer

CALLERS = 100
MAX_CONNECTIONS = 30
# what reserved concurrency grants: 30 x 0.8, rounded down
CONCURRENCY = 24
OUTAGE_SECONDS = 3.0
PAUSE_SECONDS = 5.0
NEIGHBOUR_CONNECTIONS = 20

CASES = {
    "limit": "at most 24 at once",
    "no limit": "all 100 at once",
    "deployment": "at most 24 at once; after the pause fresh environments take over, the old ones keep what they hold",
    "failover": "at most 24 at once; 1 s into the second burst the server is gone for 3 s",
    "address": "at most 24 at once; 1 s into the second burst the server is gone, after 3 s its name leads to another",
    "freeze": "at most 24 at once; the server ends every session during the pause",
    "half open": "at most 24 at once; every connection loses its packets during the pause, without a reset",
    "neighbour": "at most 24 at once; another user holds 20 connections from the beginning",
}


@dataclass
class Result:
    """One cell of the table: the second burst, and the server's counters over it."""

    case: str
    strategy: str
    second: Burst
    ten: Burst
    opened_per_1000: float
    statements: float | None
    held_after_pause: int
    recovered_after: float | None
    """Seconds from the end of an outage until 95 % of the first burst's throughput, over half a second."""


Server = MariaDbServer | PostgreSqlServer


def _counters(server: Server) -> tuple[int, int]:
    """Connections opened and statements so far."""
    with server.admin() as admin:
        if isinstance(server, PostgreSqlServer):
            opened = rows(admin, "SELECT sessions FROM pg_stat_database WHERE datname = 'shop'")
            return opened[0][0], server.statements()
        # not the status variable Connections, which counts some of the refused ones
        opened = rows(admin, "SELECT total_connections FROM information_schema.user_statistics WHERE user = 'app'")
        questions = rows(admin, "SHOW GLOBAL STATUS LIKE 'Questions'")
    return int(opened[0][0]) if opened else 0, int(questions[0][1])


def _prepare(server: Server) -> None:
    with server.admin() as admin:
        if isinstance(server, PostgreSqlServer):
            login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
            with psycopg.connect(**login, dbname=server.database) as connection:
                execute(
                    connection,
                    "CREATE TABLE products (id INT PRIMARY KEY, name TEXT)",
                    "INSERT INTO products SELECT n, 'product ' || n FROM generate_series(1, 1000) n",
                )
        else:
            execute(
                admin,
                "SET GLOBAL userstat = 1",
                "USE shop",
                "CREATE TABLE products (id INT PRIMARY KEY, name VARCHAR(40))",
                "INSERT INTO products SELECT seq, CONCAT('product ', seq) FROM seq_1_to_1000",
            )


def _end_sessions(server: Server) -> None:
    with server.admin() as admin:
        if isinstance(server, PostgreSqlServer):
            execute(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
        else:
            for (session,) in rows(admin, "SELECT id FROM information_schema.processlist WHERE user = 'app'"):
                with contextlib.suppress(Exception):
                    execute(admin, f"KILL {session}")


async def _outage(server: Server, network: Network | None, standby: Server | None) -> float:
    """Return when there was a server again, in seconds from now: the same, or the standby at its address."""
    begun = time.monotonic()
    await asyncio.sleep(1)
    crash = signal.SIGQUIT if isinstance(server, PostgreSqlServer) else signal.SIGKILL
    await asyncio.to_thread(server.stop, signal_number=crash)
    await asyncio.sleep(OUTAGE_SECONDS)
    if network is not None and standby is not None:
        network.point_to(standby)
    else:
        await asyncio.to_thread(server.start)
    return time.monotonic() - begun


def _neighbour(server: Server, stack: contextlib.ExitStack) -> None:
    """Open another user's connections."""
    server.add_user("neighbour", server.password)
    login: dict[str, Any] = {"host": server.host, "port": server.port, "user": "neighbour", "password": server.password}
    for _ in range(NEIGHBOUR_CONNECTIONS):
        if isinstance(server, PostgreSqlServer):
            stack.enter_context(psycopg.connect(**login, dbname="shop", autocommit=True))
        else:
            stack.enter_context(pymysql.connect(**login, ssl_disabled=True))


def _recovered(first: Burst, second: Burst, back: float) -> float | None:
    window = 0.5
    wanted = 0.95 * first.ok_per_second * window
    for step in range(200):
        begin = back + step * 0.05
        if sum(begin <= moment < begin + window for moment in second.finished) >= wanted:
            return step * 0.05
    return None


def measure(engine: str, case: str, strategy: str, seconds: float) -> Result:
    """Measure one cell, on a server of its own."""
    server_type = MariaDbServer if engine == "mariadb" else PostgreSqlServer
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(server_type(max_connections=MAX_CONNECTIONS))
        _prepare(server)
        settings = server.settings | {"utilization": 0.8, "function_timeout": 15}
        concurrency = CALLERS if case == "no limit" else CONCURRENCY
        network = Network(server) if case in ("half open", "address") else None
        if network is not None:
            settings["port"] = network.port
        generations = 2 if case == "deployment" else 1
        # before any thread or loop: the environments are forked
        environments = []
        for _ in range(generations * concurrency):
            environment = Environment(*start(strategy, settings))
            stack.callback(environment.end)
            environments.append(environment)
        if network is not None:
            stack.enter_context(network)
        if case == "neighbour":
            _neighbour(server, stack)
        standby = stack.enter_context(_standby(server)) if case == "address" else None
        run = _Run(server, case, strategy, seconds, environments, concurrency, network, standby)
        return asyncio.run(_measure(run))


def _standby(server: Server) -> Server:
    standby = type(server)(max_connections=MAX_CONNECTIONS)
    standby.password = server.password
    return standby


@dataclass
class _Run:
    server: Server
    case: str
    strategy: str
    seconds: float
    environments: list[Environment]
    concurrency: int
    network: Network | None
    standby: Server | None


async def _measure(run: _Run) -> Result:
    server, environments, concurrency = run.server, run.environments, run.concurrency
    if run.standby is not None:
        await asyncio.to_thread(_prepare, run.standby)
    function = Function(environments[:concurrency], concurrency)
    await burst(function, CALLERS, 1)  # processes and server warm up
    first = await burst(function, CALLERS, run.seconds)
    await asyncio.sleep(PAUSE_SECONDS)
    held = await asyncio.to_thread(server.sessions)
    if run.case == "deployment":
        function.deploy(environments[concurrency:])
    elif run.case == "freeze":
        await asyncio.to_thread(_end_sessions, server)
    elif run.case == "half open" and run.network is not None:
        run.network.black_hole()
    ten = await burst(function, 10, 1)
    before = await asyncio.to_thread(_counters, server)
    is_outage = run.case in ("failover", "address")
    outage = asyncio.create_task(_outage(server, run.network, run.standby)) if is_outage else None
    second = await burst(function, CALLERS, run.seconds)
    back = await outage if outage is not None else None
    after = await asyncio.to_thread(_counters, run.standby or server)
    calls = len(second.milliseconds)
    # a restart empties the counters
    opened = after[0] - (before[0] if outage is None else 0)
    return Result(
        run.case,
        run.strategy,
        second,
        ten,
        1000 * opened / calls if calls else 0.0,
        (after[1] - before[1]) / calls if calls and outage is None else None,
        held,
        _recovered(first, second, back) if back is not None else None,
    )
