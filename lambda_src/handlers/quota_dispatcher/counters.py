"""Several counters of one quota, side by side: each grants its part of every limit, and has a backlog of its own.

One counter is one item, which one dispatcher at a time writes. A quota of thousands of calls a second has more of them.
Their number is written down before the first message, and stays: a counter knows nothing of what the others have
granted, so a part of a limit never moves from one to another.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .settings import Settings
    from .store import Item, Store

LANES = 1_000
"""Each counter has so many numbers for its lanes."""


def part(limit: int, number: int, counters: int) -> int:
    """Return the part of a limit that one of so many counters grants; all of them together grant it exactly.

    A higher limit is no smaller part for any of them, so that old and new parts together never exceed the higher one.
    """
    return (limit + number) // counters


def parts(tiers: Sequence[dict[str, Any]], number: int, counters: int) -> list[dict[str, Any]]:
    """Return the tiers of a counter. A limit of 0 is possible."""
    return [{**tier, "limit": part(tier["limit"], number, counters)} for tier in tiers]


def granting(tiers: Sequence[dict[str, Any]], counters: int) -> list[int]:
    """Return the counters that grant anything: the last one always does."""
    return list(range(max(0, counters - min(tier["limit"] for tier in tiers)), counters))


class Counters:
    """Which counter a process goes to, and what it knows of their number."""

    def __init__(self) -> None:
        self._known: int | None = None

    def next(self, settings: Settings, store: Store) -> Settings:
        """Return the settings of the counter whose turn it is, for a batch of messages: all get as many.

        Parameters
        ----------
        settings
            Of the quota.
        store
            Of the first counter, whose item says how many there are.
        """
        return self._at(settings, store, store.take_turn)

    def any(self, settings: Settings, store: Store) -> Settings:
        """Return the settings of any counter, for a call."""
        return self._at(settings, store, lambda: random.getrandbits(32))

    def _at(self, settings: Settings, store: Store, turn: Callable[[], int]) -> Settings:
        if self._known is None and settings.counters > 1:
            self._known = store.begin(settings.counters)
        if self._known in (None, 1):
            return settings.divided(1, 0)
        found = granting(settings.tiers, self._known)
        return settings.divided(self._known, found[turn() % len(found)])

    def learn(self, item: Item) -> None:
        """Take note of what the item of any counter says."""
        self._known = item.counters
