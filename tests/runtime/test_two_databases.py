"""A function with two databases holds one connection to each, told apart by the name in its variables."""

from __future__ import annotations

import pytest
from servers import MariaDbServer, PostgreSqlServer
from servers.sql import execute, rows, session

import breakwater_runtime as breakwater
from breakwater_runtime import environment
from tests.runtime.lambda_context import Context


def test_one_connection_to_each(
    postgresql: PostgreSqlServer, mariadb: MariaDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for server, name in ((postgresql, None), (mariadb, "stock")):
        for setting, value in server.settings.items():
            if setting != "password":
                monkeypatch.setenv(environment.variable(setting.upper(), name), str(value))
    shop = breakwater.database(password=postgresql.settings["password"])
    stock = breakwater.database("stock", password=mariadb.settings["password"])
    seen = set()
    for _ in range(3):
        with stock.connection(Context(20)) as goods:
            assert "MariaDB" in rows(goods, "SELECT VERSION()")[0][0]
            with shop.connection(Context(20)) as orders:
                assert "PostgreSQL" in rows(orders, "SELECT version()")[0][0]
                seen.add((session(postgresql, orders), session(mariadb, goods)))
    assert len(seen) == 1
    assert (shop.counters.connects, stock.counters.connects) == (1, 1)
    shop.close()
    stock.close()


def test_a_failure_rolls_both_back(postgresql: PostgreSqlServer, mariadb: MariaDbServer) -> None:
    shop, stock = breakwater.database(**postgresql.settings), breakwater.database(**mariadb.settings)

    def handler() -> None:
        with shop.connection(Context(20)) as orders, stock.connection(Context(20)) as goods:
            execute(orders, "CREATE TABLE IF NOT EXISTS two_databases (id INT)", "INSERT INTO two_databases VALUES (1)")
            execute(goods, "SELECT 1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handler()
    with shop.connection(Context(20)) as orders:
        # DDL is part of the transaction in PostgreSQL: nothing of it was left.
        assert rows(orders, "SELECT to_regclass('two_databases')") == [(None,)]
    assert (shop.counters.connects, stock.counters.connects) == (1, 1)
    shop.close()
    stock.close()
