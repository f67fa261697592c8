"""Behind an RDS Proxy the server's sessions are the proxy's: nobody counts them, or gives one back for them."""

from __future__ import annotations

import time

import pytest
from servers.sql import SqlServer, execute

import breakwater_runtime as breakwater
from breakwater_runtime import testing
from tests.runtime.lambda_context import Context


@pytest.mark.parametrize("proxy", [False, True])
def test_a_full_server_takes_nothing_from_those_behind_a_proxy(server: SqlServer, proxy: bool) -> None:
    # One connection of 0.8 x 1 is one too many. The host is no RDS Proxy: what is tried is what the runtime sends.
    database = breakwater.database(**server.settings | {"max_connections": 1}, proxy=proxy)
    for _ in range(3):
        with database.connection(Context(20)) as connection:
            execute(connection, "SELECT 1")
    assert (database.counters.connects, database.counters.closes) == ((1, 0) if proxy else (3, 3))
    assert bool(database.counters.server_connections) is not proxy
    database.close()


def test_a_refusal_is_not_held_against_the_connections_that_follow(server: SqlServer) -> None:
    database = breakwater.database(**server.settings, proxy=True)
    database._keeper._pressure.refused()
    for _ in range(2):
        with database.connection(Context(20)) as connection:
            execute(connection, "SELECT 1")
    assert (database.counters.connects, database.counters.closes) == (1, 0)
    database.close()


def test_past_the_deadline_nothing_is_sent_to_a_proxy_either(server: SqlServer) -> None:
    database = breakwater.database(**server.settings, proxy=True)
    engine = database.engine()
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")

    def handle() -> None:
        with breakwater.invocation(testing.context(seconds=0.9)), engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            time.sleep(0.45)
            with pytest.raises(Exception, match="not sent, since the invocation's time is over"):
                connection.exec_driver_sql("SELECT 2")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handle()
    database.close()
