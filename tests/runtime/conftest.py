"""Real servers for the runtime's tests, one of a kind for each worker of pytest-xdist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from servers import Certificates, MariaDbServer, PostgreSqlServer, RedisServer, Server

from breakwater_runtime._core import keeper, slot

if TYPE_CHECKING:
    from collections.abc import Iterator

SQL_SERVERS: dict[str, type[MariaDbServer | PostgreSqlServer]] = {
    "mariadb": MariaDbServer,
    "postgresql": PostgreSqlServer,
}


@pytest.fixture(autouse=True)
def separate_environments(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each `database()` of a test stand for an execution environment of its own.

    In one environment all that are alike share a connection; a module that is about that says ONE_ENVIRONMENT.
    """
    if "conformance" in request.path.parts or hasattr(request.module, "ONE_ENVIRONMENT"):
        return

    def slot_of_its_own(settings: object) -> slot.Slot:
        return slots.setdefault((settings,), slot.Slot())

    slots: dict[tuple[object, ...], slot.Slot] = {}
    monkeypatch.setattr(slot, "SLOTS", slots)
    monkeypatch.setattr(keeper, "SLOTS", slots)
    monkeypatch.setattr(keeper, "slot_for", slot_of_its_own)


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbServer]:
    with MariaDbServer(max_connections=100) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSqlServer]:
    with PostgreSqlServer(max_connections=100) as server:
        yield server


@pytest.fixture(scope="session")
def tls_mariadb(certificates: Certificates) -> Iterator[MariaDbServer]:
    with MariaDbServer(certificates=certificates.right, require_tls=True) as server:
        yield server


@pytest.fixture(scope="session")
def tls_postgresql(certificates: Certificates) -> Iterator[PostgreSqlServer]:
    with PostgreSqlServer(certificates=certificates.right, require_tls=True) as server:
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
