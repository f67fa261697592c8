"""A short fuzz of each client; an hour of it: `python -m tests.runtime.conformance.fuzz --seconds 3600`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.runtime.conformance.clients import DRIVERS
from tests.runtime.conformance.fuzz import Fuzz
from tests.runtime.conformance.promises import promise

if TYPE_CHECKING:
    from tests.runtime.conformance.clients import Client
    from tests.runtime.sql import SqlServer

SEED = 43
SECONDS = 5.0


# SQLAlchemy hides from PyMySQL's error that its COMMIT is unknown
@promise(43, clients=(*DRIVERS, "SQLAlchemy, psycopg"))
def test_a_fuzz(client: Client, sql_server: SqlServer) -> None:
    report = Fuzz(client, sql_server, SEED).run(SECONDS)
    assert not report.violations
    # it did something, and something happened to it
    assert report.acknowledged
    assert report.struck
