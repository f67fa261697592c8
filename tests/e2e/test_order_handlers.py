"""The reference app's handlers, on real servers: each order exactly once, and a schema that can be migrated again."""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from servers import Certificates, MariaDbServer, PostgreSqlServer

import breakwater_runtime as breakwater

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLERS = Path(__file__).parents[2] / "lambda_src" / "handlers" / "orders"
SERVERS = {"mariadb": MariaDbServer, "postgresql": PostgreSqlServer}


class Context:
    """What the handlers use of Lambda's."""

    def __init__(self, remaining_millis: int = 10_000) -> None:
        self._remaining_millis = remaining_millis

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_millis


class Shop(SimpleNamespace):
    server: MariaDbServer | PostgreSqlServer
    database: breakwater.Database
    migration: ModuleType
    writer: ModuleType
    reader: ModuleType

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def write(self, *bodies: str) -> list[str]:
        """Deliver a batch, and return the ids of the messages that the queue shall keep."""
        records: list[dict[str, Any]] = [
            {"messageId": f"message-{number}", "body": body, "eventSource": "aws:sqs", "attributes": {}}
            for number, body in enumerate(bodies)
        ]
        answer = self.writer.handler({"Records": records}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def get(self, path: str, method: str = "GET") -> dict[str, Any]:
        return self.reader.handler({"httpMethod": method, "path": path}, Context())


@contextmanager
def shop_on(engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    names = ("order", "migration", "writer", "reader")
    with ExitStack() as stack:
        server = stack.enter_context(SERVERS[engine](certificates=Certificates().right, require_tls=True))
        database = breakwater.database(**server.settings)
        monkeypatch.setattr(breakwater, "database", lambda: database)
        monkeypatch.setenv("BREAKWATER_ENGINE", engine)
        monkeypatch.syspath_prepend(HANDLERS)
        stack.callback(lambda: [sys.modules.pop(name, None) for name in names])
        modules = {name: importlib.import_module(name) for name in names}
        yield Shop(server=server, database=database, **modules)
        database.close()


@pytest.fixture(params=SERVERS)
def empty_shop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with shop_on(request.param, monkeypatch) as shop:
        yield shop


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    empty_shop.migration.handler({}, Context())
    return empty_shop


def an_order(order_id: str = "order-1", *, sku: str = "ROPE", quantity: int = 2, minute: int = 0) -> str:
    lines = [
        {"sku": "FENDER", "quantity": 1, "unit_price_cents": 2_500},
        {"sku": sku, "quantity": quantity, "unit_price_cents": 1_000},
    ]
    placed_at = f"2026-11-27T09:{minute:02}:00+01:00"
    return json.dumps({"order_id": order_id, "customer": "harbour master", "placed_at": placed_at, "lines": lines})


def test_a_second_migration_has_nothing_to_do(empty_shop: Shop) -> None:
    assert empty_shop.migration.handler({}, Context()) == {"applied": [1, 2], "version": 2}
    assert empty_shop.migration.handler({}, Context()) == {"applied": [], "version": 2}
    assert empty_shop.rows("SELECT COUNT(*) FROM products") == [(6,)]


def test_a_migration_that_broke_off_goes_on_where_it_stopped(empty_shop: Shop) -> None:
    first_table, *_ = empty_shop.migration.MIGRATIONS[0]
    with empty_shop.database.connection() as connection, connection.cursor() as cursor:
        cursor.execute(first_table)
    assert empty_shop.migration.handler({}, Context())["applied"] == [1, 2]


def test_an_order_that_is_delivered_again_is_written_once(shop: Shop) -> None:
    assert shop.write(an_order(), an_order()) == []
    assert shop.write(an_order()) == []
    assert shop.rows("SELECT order_id, total_cents FROM orders") == [("order-1", 4_500)]
    assert shop.rows("SELECT COUNT(*) FROM order_lines") == [(2,)]
    assert shop.rows("SELECT sku, units_sold FROM products WHERE units_sold > 0 ORDER BY sku") == [
        ("FENDER", 1),
        ("ROPE", 2),
    ]


def test_only_the_orders_that_failed_are_kept_by_the_queue(shop: Shop) -> None:
    failed = shop.write(
        an_order("good"), "no json", an_order("unknown", sku="SUBMARINE"), an_order("none", quantity=0), an_order("too")
    )
    assert failed == ["message-1", "message-2", "message-3"]
    assert shop.rows("SELECT order_id FROM orders ORDER BY order_id") == [("good",), ("too",)]
    assert shop.rows("SELECT units_sold FROM products WHERE sku = 'FENDER'") == [(2,)], "a half order left its mark"


def test_who_asked_learns_what_came_of_it_and_why_not(shop: Shop) -> None:
    order = shop.writer.handler.__wrapped__
    assert order({"body": an_order()}, Context()) == {"order_id": "order-1", "total_cents": 4_500}
    with pytest.raises(breakwater.JobFailed, match="order bad: no product SUBMARINE"):
        order({"body": an_order("bad", sku="SUBMARINE")}, Context())


def test_the_latest_orders_come_first(shop: Shop) -> None:
    shop.write(*(an_order(f"order-{minute}", minute=minute) for minute in (3, 1, 2)))
    answer = shop.get("/orders")
    orders = json.loads(answer["body"])["orders"]
    assert [order["order_id"] for order in orders] == ["order-3", "order-2", "order-1"]
    assert orders[0] == {
        "order_id": "order-3",
        "customer": "harbour master",
        "placed_at": "2026-11-27T08:03:00+00:00",
        "total_cents": 4_500,
    }


def test_one_order_comes_with_its_lines(shop: Shop) -> None:
    shop.write(an_order())
    answer = shop.get("/orders/order-1")
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["lines"] == [
        {"sku": "FENDER", "quantity": 1, "unit_price_cents": 2_500},
        {"sku": "ROPE", "quantity": 2, "unit_price_cents": 1_000},
    ]


def test_an_event_of_an_http_api_is_understood(shop: Shop) -> None:
    shop.write(an_order())
    event = {"rawPath": "/stage/orders/order-1", "requestContext": {"http": {"method": "GET"}}}
    assert shop.reader.handler(event, Context())["statusCode"] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/orders/none", 404), ("GET", "/", 404), ("POST", "/orders", 405)]
)
def test_what_is_not_there_is_said_to_be_so(shop: Shop, method: str, path: str, status: int) -> None:
    assert shop.get(path, method)["statusCode"] == status


def test_a_reader_without_a_connection_says_when_to_come_back(shop: Shop) -> None:
    shop.server.stop()
    answer = shop.reader.handler({"httpMethod": "GET", "path": "/orders"}, Context(remaining_millis=1_500))
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "1")
