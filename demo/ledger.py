"""What the database says was written, against what was ordered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.administrator import administrator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.administrator import SqlServer
    from demo.load import Order


@dataclass(frozen=True)
class Ledger:
    """Orders by what became of them.

    Attributes
    ----------
    written
        Orders that are there with all of their lines.
    missing
        Orders that are not.
    stray_units
        Units sold that the written orders don't account for, or that they miss: what an order leaves behind that was
        applied twice, even where its key let only one row in, or by half.
    """

    written: int
    missing: int
    stray_units: int


def clear(server: SqlServer) -> None:
    """Take every order out, so that the next burst starts from an empty shop."""
    with administrator(server) as admin, admin.cursor() as cursor:
        for statement in ("DELETE FROM order_lines", "DELETE FROM orders", "UPDATE products SET units_sold = 0"):
            cursor.execute(statement)


def audit(server: SqlServer, orders: Sequence[Order]) -> Ledger:
    """Compare the shop's tables with the orders that were sent."""
    with administrator(server) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT order_id, COUNT(*) FROM orders JOIN order_lines USING (order_id) GROUP BY order_id")
        lines = dict(cursor.fetchall())
        cursor.execute("SELECT sku, units_sold FROM products")
        sold = Counter(dict(cursor.fetchall()))
    written = [order for order in orders if lines.get(order["order_id"]) == len(order["lines"])]
    due = Counter[str]()
    for order in written:
        due.update({line["sku"]: line["quantity"] for line in order["lines"]})
    return Ledger(len(written), len(orders) - len(written), (sold - due).total() + (due - sold).total())
