"""No connection is in a SnapStart snapshot."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest
from bson import ObjectId
from servers.sql import SqlServer, session

import breakwater_runtime as breakwater
from breakwater_runtime._core import keeper
from tests.runtime.mongo_server import MongoServer

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], None]]:
    """What the runtime registers, by when it is called."""
    hooks: dict[str, Callable[[], None]] = {}
    # Lambda's own module, which exists there alone
    module = types.ModuleType("snapshot_restore_py")
    module.register_before_snapshot = lambda hook: hooks.update(before=hook)  # pyrefly: ignore
    module.register_after_restore = lambda hook: hooks.update(after=hook)  # pyrefly: ignore
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    return hooks


def test_hooks_close_before_and_drop_after(server: SqlServer, hooks: dict[str, Callable[[], None]]) -> None:
    keeper._register_with_snapstart.cache_clear()
    database = breakwater.database(**server.settings)
    with database.connection() as connected:
        first = session(server, connected)
    hooks["before"]()
    assert database._keeper.session is None
    hooks["after"]()
    with database.connection() as connected:
        assert session(server, connected) != first
    database.close()


def test_restored_environments_make_object_ids_of_their_own(hooks: dict[str, Callable[[], None]]) -> None:
    documents = breakwater.mongo(host="127.0.0.1", port=1)
    before = ObjectId()
    hooks["before"]()
    snapshot = ObjectId._pid
    own = {before.binary[4:9]}
    for _ in range(2):
        ObjectId._pid = snapshot
        own.add(ObjectId().binary[4:9])
    assert len(own) == 3
    documents.close()


def test_a_mongodb_session_in_a_snapshot_is_refused(hooks: dict[str, Callable[[], None]]) -> None:
    with MongoServer() as server:
        documents = breakwater.mongo(host=server.host, port=server.port)
        documents["shop"]["orders"].insert_one({})
        with pytest.raises(breakwater.ConfigurationError, match="before the SnapStart snapshot"):
            hooks["before"]()
        documents.close()
