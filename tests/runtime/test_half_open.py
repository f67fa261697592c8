"""A connection whose packets are lost without a reset, as by a NAT gateway that forgot an idle flow."""

from __future__ import annotations

import time

import pytest

import breakwater_runtime as breakwater
from breakwater_runtime._core import liveness
from tests.runtime.sql import Context, SqlServer, rows
from tests.servers import Network


@pytest.fixture
def network(server: SqlServer):
    with Network(server) as network:
        yield network


def test_the_first_statement_after_a_pause_does_not_hang(server: SqlServer, network: Network) -> None:
    database = breakwater.database(**(server.settings | {"port": network.port}))
    with database.connection() as connection:
        rows(connection, "SELECT 1")
    network.black_hole()
    time.sleep(liveness.CHECK_AFTER_SECONDS + 0.1)
    started = time.monotonic()
    with database.connection(Context(15)) as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1
    assert time.monotonic() - started < liveness.CHECK_TIMEOUT_SECONDS + 3
    assert database.counters.heals == 1
    database.close()


def test_a_connect_into_nothing_ends_at_the_deadline(server: SqlServer) -> None:
    """The server's kernel accepts, the server itself says nothing."""
    server_port = server.settings
    database = breakwater.database(**server_port)
    server.freeze()
    try:
        started = time.monotonic()
        with pytest.raises(breakwater.ConnectionUnavailable), database.connection(Context(4)):
            pass
        assert time.monotonic() - started < 8
    finally:
        server.thaw()
