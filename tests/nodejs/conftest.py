"""Real servers and the layer for the tests in Node.js, one of a kind for each worker of pytest-xdist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers import Certificates, MariaDbServer, PostgreSqlServer

from tests.nodejs.node_runner import LambdaFolder, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS: dict[str, type[Server]] = {"mariadb": MariaDbServer, "postgresql": PostgreSqlServer}


@pytest.fixture(scope="package", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with SERVERS[request.param](max_connections=30) as server:
        server.add_user("neighbour", server.password)
        yield server


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> LambdaFolder:
    return LambdaFolder(tmp_path_factory.mktemp("lambda"))
