"""When the server runs short: sessions of frozen environments are ended, and the own one is given back."""

from __future__ import annotations

import contextlib
import time

import pytest
from servers import MariaDbServer
from servers.sql import SqlServer, execute

import breakwater_runtime as breakwater
from breakwater_runtime._core import server_pressure
from breakwater_runtime._core.session import Session
from tests.runtime.lambda_context import Context

# what the runtime waits for, and a second more since MariaDB counts in whole seconds
UNTIL_IDLE = server_pressure.ZOMBIE_SECONDS + 1.2


def test_fresh_environments_take_over_after_a_deployment(server_type: type[SqlServer]) -> None:
    """All slots are held by environments of the version before that are frozen: none of them begins a block."""
    with server_type(max_connections=12) as server:
        # three of PostgreSQL's are for superusers
        slots = 12 if server_type is MariaDbServer else 9
        settings = server.settings | {"utilization": 0.7}
        # one slot is left for those who are to make room: what the utilization is for
        roomy = settings | {"max_connections": 1000}
        old = [breakwater.database(**roomy) for _ in range(slots - 1)]
        for database in old:
            with database.connection(Context(30)) as connection:
                execute(connection, "SELECT 1")
        time.sleep(UNTIL_IDLE)
        fresh = [breakwater.database(**settings) for _ in range(4)]
        for database in fresh:
            with database.connection(Context(30)) as connection:
                execute(connection, "SELECT 1")
        assert sum(database.counters.zombies_ended for database in fresh) == slots - 1
        assert server.sessions() == len(fresh)
        # every one of the old heals
        for database in old[:3]:
            with database.connection(Context(30)) as connection:
                execute(connection, "SELECT 1")
            assert database.counters.heals == 1
        for database in [*old, *fresh]:
            database.close()


def test_gives_its_own_connection_back_when_others_fill_the_server(server: SqlServer) -> None:
    limit = server.sessions() + 4
    database = breakwater.database(**(server.settings | {"max_connections": limit, "utilization": 0.5}))
    with contextlib.ExitStack() as stack:
        for _ in range(limit):
            other = breakwater.database(**(server.settings | {"max_connections": 1000}))
            stack.callback(other.close)
            stack.enter_context(other.connection())
        with database.connection():
            pass
        assert database.counters.closes == 1
        assert database._keeper.session is None


def test_looks_seldom(server: SqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    database = breakwater.database(**server.settings)
    looks: list[int] = []
    look = database._keeper._pressure.look

    async def counted(looking: Session) -> None:
        looks.append(1)
        await look(looking)

    monkeypatch.setattr(database._keeper._pressure, "look", counted)
    for _ in range(50):
        with database.connection():
            pass
    assert len(looks) == 1
    database.close()
