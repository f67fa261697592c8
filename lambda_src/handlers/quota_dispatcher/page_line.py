"""The pages on which messages of a key wait, in the order of their turns; the middle of a long line stays packed.

A key's counter is read and written in each turn, with all of its pages. Packed ones are only copied.
"""

from __future__ import annotations

import json
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING

from .compact_json import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKED = 100
"""Pages that are packed together."""


class PageLine:
    """Pages by number, each with how many messages it holds.

    Attributes
    ----------
    first
        The next ones. Empty when none wait.
    packed
        Those behind them, `PACKED` in a text.
    last
        Those behind these.
    """

    def __init__(self) -> None:
        self.first: list[tuple[int, int]] = []
        self.packed: list[str] = []
        self.last: list[tuple[int, int]] = []
        self._numbers: set[int] | None = None

    def __bool__(self) -> bool:
        return bool(self.first)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return chain(self.first, *(_unpack(text) for text in self.packed), self.last)

    def __contains__(self, number: int) -> bool:
        if self._numbers is None:
            self._numbers = {each for each, _ in self}
        return number in self._numbers

    def add(self, number: int, count: int) -> None:
        """Let a page wait behind all others."""
        self._numbers = None
        if len(self.first) < PACKED and not self.packed and not self.last:
            self.first.append((number, count))
            return
        self.last.append((number, count))
        if len(self.last) == PACKED:
            self.packed.append(_pack(self.last))
            self.last = []

    def drop_first(self) -> None:
        """Take away the next one."""
        self._numbers = None
        del self.first[0]
        if self.first:
            return
        if self.packed:
            self.first = _unpack(self.packed.pop(0))
        else:
            self.first = self.last
            self.last = []

    def dump(self) -> list[str]:
        """Write the state as JSON knows it."""
        return [_pack(self.first), *self.packed, _pack(self.last)] if self.first else []

    @classmethod
    def load(cls, texts: list[str]) -> PageLine:
        """Read what `dump` wrote."""
        line = cls()
        if texts:
            line.first, line.packed, line.last = _unpack(texts[0]), texts[1:-1], _unpack(texts[-1])
        return line


def _pack(pages: list[tuple[int, int]]) -> str:
    # By their distances, which are alike: thousands of pages then take few bytes, packed as a volume is.
    return dumps(
        [part for (before, _), (number, count) in pairwise([(0, 0), *pages]) for part in (number - before, count)]
    )


def _unpack(text: str) -> list[tuple[int, int]]:
    flat: list[int] = json.loads(text)
    return list(zip(accumulate(flat[::2]), flat[1::2], strict=True))
