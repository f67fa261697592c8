"""What is due in a later step."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Things = TypeVar("Things")


class ByStep(Generic[Things]):
    """Collections of things, by the step in which they are due.

    Parameters
    ----------
    empty
        Makes an empty collection.
    """

    def __init__(self, empty: Callable[[], Things]) -> None:
        self._empty = empty
        self._things: dict[int, Things] = {}
        self._due: list[int] = []  # their steps, the next one first

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._things)

    def __iter__(self) -> Iterator[Things]:
        """Give those of each step."""
        return iter(self._things.values())

    def at(self, step: int) -> Things:
        """Give those of a step, to which more may be added."""
        if step not in self._things:
            heapq.heappush(self._due, step)
            self._things[step] = self._empty()
        return self._things[step]

    def take(self, step: int) -> Things:
        """Take those of a step."""
        return self._things.pop(step) if step in self._things else self._empty()

    def next_after(self, step: int) -> int | None:
        """Give the next step in which some are due."""
        while self._due and self._due[0] <= step:
            heapq.heappop(self._due)
        return self._due[0] if self._due else None

    def clear(self) -> None:
        """Forget all."""
        self._things.clear()
        self._due.clear()
