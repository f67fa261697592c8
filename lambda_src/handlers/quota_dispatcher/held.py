"""What the counter knows of a message: where it lies, how often it has failed, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACE = 3
"""Numbers that every message has: lane, page, position."""
UNWEIGHED = 0
"""The weight of a message that lay there before its quota had weights, or when it had others."""


class Ref(NamedTuple):
    """Where a message lies on the shelf: lane, page, position on the page; and its group, where order matters."""

    lane: int
    page: int
    index: int
    group: int = 0
    weight: int = 1
    """What it costs in the tiers that count weights; `UNWEIGHED` when that is to be read anew."""

    def dump(self, *more: int) -> list[int]:
        """Write it, and what belongs to it, as JSON knows it; most messages weigh 1, and end with zeros."""
        flat = [*self[:4], *more]
        if self.weight != 1:
            return [*flat, self.weight]
        while len(flat) > _PLACE and not flat[-1]:
            flat.pop()
        return flat


class Held(NamedTuple):
    """A message and how often it has failed."""

    ref: Ref
    failures: int = 0

    @property
    def place(self) -> tuple[tuple[int, ...], int]:
        """What it is known by, whatever it was taken to weigh."""
        return self.ref[:3], self.failures

    def unweighed(self) -> Held:
        """Forget the weight."""
        return Held(self.ref._replace(weight=UNWEIGHED), self.failures)


def load_ref(flat: Sequence[int], more: int = 0) -> tuple[Ref, list[int]]:
    """Read what `Ref.dump` wrote, and the so many numbers that belong to it."""
    numbers = [*flat, *[0] * (4 + more - len(flat))]
    return Ref(*numbers[:4], *numbers[4 + more :]), numbers[4 : 4 + more]
