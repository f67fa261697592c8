"""HTTP API: GET /orders, the latest orders, and GET /orders/{id}, one of them with its lines."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import breakwater_runtime as breakwater

database = breakwater.database()

LATEST = 20


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a proxy event of a REST API or of an HTTP API (payload formats 1.0 and 2.0)."""
    method = event.get("httpMethod") or event["requestContext"]["http"]["method"]
    # Of an HTTP API's raw path, the stage's name is a part, unless the stage is $default.
    path = (event.get("path") or event["rawPath"]).strip("/").split("/")
    if "orders" not in path:
        return response(404, {"message": f"no such resource: /{'/'.join(path)}"})
    if method != "GET":
        return response(405, {"message": f"{method} is not allowed, GET is"})
    order_id = path[path.index("orders") + 1 :]
    try:
        with database.connection(context) as connection, connection.cursor() as cursor:
            if not order_id:
                return response(200, {"orders": latest_orders(cursor)})
            order = one_order(cursor, order_id[0])
    except breakwater.ConnectionUnavailable:
        return response(503, {"message": "the database takes no more connections now"}, {"Retry-After": "1"})
    return response(200, order) if order else response(404, {"message": f"no order {order_id[0]}"})


def latest_orders(cursor: Any) -> list[dict[str, Any]]:
    """Read the latest orders, the last one first."""
    cursor.execute(
        "SELECT order_id, customer, placed_at, total_cents FROM orders ORDER BY placed_at DESC, order_id LIMIT %s",
        (LATEST,),
    )
    return [_order(row) for row in cursor.fetchall()]


def one_order(cursor: Any, order_id: str) -> dict[str, Any] | None:
    """Read one order with its lines."""
    cursor.execute("SELECT order_id, customer, placed_at, total_cents FROM orders WHERE order_id = %s", (order_id,))
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute(
        "SELECT sku, quantity, unit_price_cents FROM order_lines WHERE order_id = %s ORDER BY line_number", (order_id,)
    )
    names = ("sku", "quantity", "unit_price_cents")
    return _order(row) | {"lines": [dict(zip(names, line, strict=True)) for line in cursor.fetchall()]}


def _order(row: tuple[str, str, datetime, int]) -> dict[str, Any]:
    order_id, customer, placed_at, total_cents = row
    # DATETIME has no time zone: the writer put UTC there.
    placed_at = placed_at.astimezone(timezone.utc) if placed_at.tzinfo else placed_at.replace(tzinfo=timezone.utc)
    return {"order_id": order_id, "customer": customer, "placed_at": placed_at.isoformat(), "total_cents": total_cents}


def response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Shape an answer as API Gateway's proxy integration wants it."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
