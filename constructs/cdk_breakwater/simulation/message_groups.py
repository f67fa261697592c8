"""Message groups as amounts: those that are alike move together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .by_step import ByStep

if TYPE_CHECKING:
    from collections.abc import Iterator

_DUST = 1e-6
_ALIKE, _ALIKE_PART = 0.25, 0.01
_PARTS = 100


@dataclass
class Groups:
    """Message groups that are alike.

    Attributes
    ----------
    number
        How many, of which parts count.
    position
        How many messages have been taken of each, of those that came.
    """

    number: float
    position: float


@dataclass
class HeldUp(Groups):
    """Message groups whose first message fails.

    Attributes
    ----------
    failing
        Messages of each that come again together: the one that fails, and those that were behind it in its batch.
    receives
        How often they have been received.
    """

    failing: float = 1.0
    receives: int = 1


class FreeGroups:
    """Groups of which messages may be received, those with the oldest one first.

    Parameters
    ----------
    number
        How many there are.
    position
        How many messages have been taken of each.
    """

    def __init__(self, number: float, position: float = 0.0) -> None:
        self._all = [Groups(number, position)]

    def __iter__(self) -> Iterator[Groups]:
        """Give those that are alike, the first ones first."""
        return iter(list(self._all))

    @property
    def number(self) -> float:
        """How many there are."""
        return sum(each.number for each in self._all)

    def backlog(self, came: float) -> float:
        """Give how many messages wait in them, of so many that came to each group."""
        return sum(each.number * (came - each.position) for each in self._all)

    def with_messages(self, came: float) -> float:
        """Give how many of them have a message."""
        return sum(each.number * min(1.0, came - each.position) for each in self._all)

    def put(self, groups: Groups, came: float) -> None:
        """Let groups be received again."""
        self._all.append(groups)
        self._all.sort(key=lambda each: each.position)
        self.merge(came)

    def merge(self, came: float) -> None:
        """Make one of those that are nearly alike, so that they stay few."""
        merged: list[Groups] = []
        near = max(_ALIKE, came * _ALIKE_PART)
        for each in self._all:
            last = merged[-1] if merged else None
            if each.number <= _DUST:
                continue
            if last is None or each.position - last.position > near:
                merged.append(each)
                continue
            both = last.number + each.number
            last.position = (last.position * last.number + each.position * each.number) / both
            last.number = both
        self._all = merged


class HeldUpGroups(ByStep[list[HeldUp]]):
    """Groups whose first message fails, until it is seen again.

    Parameters
    ----------
    timeout
        After how many steps that is.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(list)
        # Those of a hundredth of the time are seen again together, so that they are few.
        self._timeout, self._width = timeout, max(1, int(timeout / _PARTS))

    def put(self, held: HeldUp, step: int) -> None:
        """Hold some up that are received in a step."""
        alike = self.at(max(step + 1, round((step + self._timeout) / self._width) * self._width))
        known = next((each for each in alike if each.receives == held.receives), None)
        if known is None:
            alike.append(held)
            return
        both = known.number + held.number
        known.position = (known.position * known.number + held.position * held.number) / both
        known.failing = (known.failing * known.number + held.failing * held.number) / both
        known.number = both

    @property
    def first_positions(self) -> list[float]:
        """The positions of those that were held up first, of each step in which they are seen again."""
        return [held[0].position for held in self]
