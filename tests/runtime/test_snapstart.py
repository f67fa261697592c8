"""No connection is in a SnapStart snapshot."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest
from servers.sql import SqlServer, session

import breakwater_runtime as breakwater
from breakwater_runtime._core import keeper

if TYPE_CHECKING:
    from collections.abc import Callable


def test_hooks_close_before_and_drop_after(server: SqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: dict[str, Callable[[], None]] = {}
    # Lambda's own module, which exists there alone
    module = types.ModuleType("snapshot_restore_py")
    module.register_before_snapshot = lambda hook: hooks.update(before=hook)  # pyrefly: ignore
    module.register_after_restore = lambda hook: hooks.update(after=hook)  # pyrefly: ignore
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
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
