"""SQS consumer: writes each order exactly once, however often its message is delivered."""

from __future__ import annotations

import os
from typing import Any

from order import Order

import breakwater_runtime as breakwater

database = breakwater.database()

# Both leave an order that is already there alone, and then report no affected row. Not INSERT IGNORE: MySQL would
# also let values pass that don't fit.
_INSERT = "INSERT INTO orders (order_id, customer, placed_at, total_cents) VALUES (%s, %s, %s, %s) "
_UNLESS_THERE = {
    "postgresql": "ON CONFLICT (order_id) DO NOTHING",
    "mysql": "ON DUPLICATE KEY UPDATE order_id = orders.order_id",
    "mariadb": "ON DUPLICATE KEY UPDATE order_id = orders.order_id",
}
INSERT_ORDER = _INSERT + _UNLESS_THERE[os.environ["BREAKWATER_ENGINE"]]


@breakwater.batch
def handler(record: dict[str, Any], context: Any) -> dict[str, Any]:
    """Write the order of one message, and tell who asked through the front door what it came to.

    Raises
    ------
    breakwater_runtime.JobFailed
        When the shop can't take the order; the message is tried again, and then kept in the dead-letter queue.
    """
    try:
        order = Order.from_json(record["body"])
        # one transaction; again if the server gave it up, as in a deadlock
        database.run(lambda connection: write(connection, order), context)
    except (LookupError, ValueError) as error:
        raise breakwater.JobFailed(str(error)) from error
    return {"order_id": order.order_id, "total_cents": order.total_cents}


def write(connection: Any, order: Order) -> bool:
    """Write an order, its lines and what it sells; return False if it had been written before.

    Raises
    ------
    LookupError
        If it orders a product that the shop doesn't have.
    """
    cursor = connection.cursor()
    cursor.execute(INSERT_ORDER, (order.order_id, order.customer, order.placed_at, order.total_cents))
    if cursor.rowcount == 0:
        return False
    for number, line in enumerate(order.lines, start=1):
        cursor.execute("UPDATE products SET units_sold = units_sold + %s WHERE sku = %s", (line.quantity, line.sku))
        if cursor.rowcount == 0:
            raise LookupError(f"order {order.order_id}: no product {line.sku}")
        cursor.execute(
            "INSERT INTO order_lines (order_id, line_number, sku, quantity, unit_price_cents) "
            "VALUES (%s, %s, %s, %s, %s)",
            (order.order_id, number, line.sku, line.quantity, line.unit_price_cents),
        )
    return True
