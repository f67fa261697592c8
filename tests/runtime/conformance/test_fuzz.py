"""A short fuzz of each client, BREAKWATER_FUZZ_SECONDS long; `tests.runtime.conformance.fuzz` has more options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.runtime.conformance.fuzz import Fuzz
from tests.runtime.conformance.promises import promise

if TYPE_CHECKING:
    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Client

SEED = 43
SECONDS = float(os.environ.get("BREAKWATER_FUZZ_SECONDS", "4"))


@promise(43)
def test_a_fuzz(client: Client, sql_server: SqlServer) -> None:
    report = Fuzz(client, sql_server, SEED).run(SECONDS)
    assert not report.violations
    # it did something, and something happened to it
    assert report.acknowledged
    assert report.struck


@promise(24)
def test_each_answer_lost(client: Client, sql_server: SqlServer) -> None:
    report = Fuzz(client, sql_server, SEED).walk()
    assert not report.violations
    assert report.acknowledged
    assert report.unknown
