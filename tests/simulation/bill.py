"""What a run would cost, by the prices of docs/costs.md."""

from __future__ import annotations

from collections import Counter
from typing import Any

from website.costs.prices import PRICES as LISTED

PRICES = {
    "SQS requests": LISTED["SQS request"].each,
    "writes": LISTED["DynamoDB write"].each,
    "reads": LISTED["DynamoDB read"].each,
    "invocations": LISTED["invocation"].each,
    "MB milliseconds": LISTED["GB-second"].each / 1_024_000,
}


class Bill(Counter[str]):
    """How much of each of `PRICES`."""

    sizes = False
    """Whether items are measured, which takes longer than all else that a request does here."""

    def write(self, *items: dict[str, Any] | None) -> None:
        if not self.sizes:
            return
        self["writes"] += max(-(-size(item) // 1_024) for item in items if item is not None)

    def read(self, item: dict[str, Any]) -> None:
        if not self.sizes:
            return
        self["reads"] += max(1, -(-size(item) // 4_096))

    def dollars(self) -> float:
        return sum(PRICES[name] * count for name, count in self.items())


def size(item: dict[str, Any]) -> int:
    """Return the size of an item (Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats")."""
    return sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())
