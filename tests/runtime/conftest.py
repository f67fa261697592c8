"""Real servers for the runtime's tests, one of a kind for each worker of pytest-xdist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import Certificates, MariaDbServer, PostgreSqlServer, RedisServer, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

SQL_SERVERS: dict[str, type[MariaDbServer | PostgreSqlServer]] = {
    "mariadb": MariaDbServer,
    "postgresql": PostgreSqlServer,
}


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbServer]:
    with MariaDbServer(max_connections=30) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSqlServer]:
    with PostgreSqlServer(max_connections=30) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer(max_connections=100) as server:
        yield server


@pytest.fixture(params=SQL_SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    """Each SQL server in turn, without TLS."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=SQL_SERVERS)
def server_type(request: pytest.FixtureRequest) -> type[Any]:
    """Each SQL server's class in turn, for tests that stop it or need it otherwise."""
    return SQL_SERVERS[request.param]
