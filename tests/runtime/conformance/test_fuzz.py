"""A fuzz of all clients together, BREAKWATER_FUZZ_SECONDS long; `tests.runtime.conformance.fuzz` has more options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.runtime.conformance.clients import CLIENTS
from tests.runtime.conformance.fuzz import Fuzz, require_no_session, side_by_side
from tests.runtime.conformance.promises import promise

if TYPE_CHECKING:
    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Client

SEED = 43
SECONDS = float(os.environ.get("BREAKWATER_FUZZ_SECONDS", "180"))


@promise(43)
def test_a_fuzz(client: Client, sql_server: SqlServer) -> None:
    for report in side_by_side(client.name, sql_server, SEED, SECONDS / len(CLIENTS)):
        assert not report.violations
        # it did something, and something happened to it
        assert report.acknowledged
        assert report.struck


@promise(24)
def test_each_answer_lost(client: Client, sql_server: SqlServer) -> None:
    report = Fuzz(client, sql_server, SEED).walk()
    require_no_session(sql_server)
    assert not report.violations
    assert report.acknowledged
    assert report.unknown
