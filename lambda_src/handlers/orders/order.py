"""What a customer ordered, as it travels through the queue."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone


@dataclass(frozen=True)
class OrderLine:
    """So many of one product, at the price the customer saw."""

    sku: str
    quantity: int
    unit_price_cents: int


@dataclass(frozen=True)
class Order:
    """One order; its id is chosen by the shop's front end, so that a repeated message is recognised."""

    order_id: str
    customer: str
    placed_at: datetime
    lines: tuple[OrderLine, ...]

    @property
    def total_cents(self) -> int:
        """The sum over all lines, in cents."""
        return sum(line.quantity * line.unit_price_cents for line in self.lines)

    @classmethod
    def from_json(cls, body: str) -> Order:
        """Read an order from a message's body.

        Raises
        ------
        ValueError
            If it isn't JSON, lacks a field, or orders less than one of a product.
        """
        try:
            fields = json.loads(body)
            order = cls(
                order_id=str(fields["order_id"]),
                customer=str(fields["customer"]),
                placed_at=datetime.fromisoformat(fields["placed_at"]).astimezone(timezone.utc),
                lines=tuple(
                    # In one order everywhere: two orders that lock the same products can't wait for each other.
                    sorted((OrderLine(**line) for line in fields["lines"]), key=lambda line: line.sku)
                ),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an order: {type(error).__name__} {error}") from error
        if not order.lines or any(line.quantity < 1 or line.unit_price_cents < 0 for line in order.lines):
            raise ValueError(f"order {order.order_id}: each order has lines, each line a quantity of 1 or more")
        return order
