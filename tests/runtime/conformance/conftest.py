"""A client of each kind, its server, and a network in between that misbehaves when told to."""

from __future__ import annotations

import inspect
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.conformance.clients import Client
from tests.runtime.conformance.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import MariaDbServer, PostgreSqlServer


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "promise(number): the promise of promises.py that a test proves")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function as its client runs a handler."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    client = pyfuncitem.funcargs["client"]
    assert isinstance(client, Client)
    # What a test breaks off in mid-air leaves no deadline to the next one.
    copy_context().run(client.finish, pyfuncitem.obj(**arguments))
    return True


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    client = Client(request.param)
    yield client
    client.close()


@pytest.fixture
def sql_server(request: pytest.FixtureRequest, client: Client) -> MariaDbServer | PostgreSqlServer:
    """The client's server, with nobody connected."""
    return request.getfixturevalue(client.engine)


@pytest.fixture
def network(sql_server: Any) -> Iterator[Trouble]:
    with Trouble(sql_server) as network:
        yield network
