"""What goes through each source: 2,000 records in 50 groups, 2 % of them poison, at most one in a group."""

from __future__ import annotations

from typing import Any

COUNT = 2_000
GROUPS = 50
POISON = frozenset(GROUPS * (7 * group % 40) + group for group in range(40))
GOOD = frozenset(range(COUNT)) - POISON
# A producer that hears no answer sends again.
REPEATED = frozenset(number for number in GOOD if number % 20 == 0)

assert len(POISON) == COUNT * 2 // 100


def record(number: int) -> dict[str, Any]:
    return {"number": number, "group": number % GROUPS, "poison": number in POISON}


def records(*, repeated: bool) -> list[dict[str, Any]]:
    """Give all records in their order, and at the end those that are sent twice."""
    return [record(number) for number in [*range(COUNT), *(sorted(REPEATED) if repeated else [])]]
