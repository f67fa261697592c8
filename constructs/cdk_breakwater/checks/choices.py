"""What a deployment chooses: one world for each way in which a template's conditions can turn out.

A rule looks at one world at a time, in which every condition is true or false. What it asked for on its way is
recorded, so that it looks again only where its answer depended on a choice.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from itertools import islice, product
from math import prod
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from typing import TypeAlias

    World: TypeAlias = dict[Hashable, int]

_MOST_WORLDS = 16


class _Result(NamedTuple):
    """What was computed, the choices that it depends on, and how they were made."""

    value: Any
    asked: dict[Hashable, Sequence[Any]]
    chosen: list[tuple[Hashable, int]]


class Choices:
    """The world that is looked at, and which of its choices were asked for."""

    def __init__(self) -> None:
        self._world: World = {}
        self._key: frozenset[tuple[Hashable, int]] = frozenset()
        self._asked: dict[Hashable, Sequence[Any]] = {}
        self._once: dict[Hashable, Any] = {}
        self._here: dict[tuple[frozenset[tuple[Hashable, int]], Hashable], _Result] = {}
        self._results: defaultdict[Hashable, list[_Result]] = defaultdict(list)

    def take(self, key: Hashable, candidates: Sequence[Any]) -> Any:
        """Give what is chosen in this world; the first of the candidates where nothing is."""
        self._asked[key] = candidates
        return candidates[self._index(key, candidates)]

    @contextmanager
    def world(self, world: World) -> Iterator[dict[Hashable, Sequence[Any]]]:
        """Look at a world, and record what is asked for meanwhile."""
        before = self._world, self._key, self._asked
        asked: dict[Hashable, Sequence[Any]] = {}
        self._world, self._key, self._asked = world, frozenset(world.items()), asked
        try:
            yield asked
        finally:
            self._world, self._key, self._asked = before

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Compute once, in the first world: for what is the same in all of them."""
        if key not in self._once:
            with self.world({}):
                self._once[key] = compute()
        return self._once[key]

    def cached(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Compute once for all worlds with the same choices; asking for the result asks for what it depends on."""
        at = (self._key, key)
        found = self._here.get(at)
        if found is None:
            found = next(filter(self._holds, self._results[key]), None) or self._compute(key, compute)
            self._here[at] = found
        self._asked.update(found.asked)
        return found.value

    def _compute(self, key: Hashable, compute: Callable[[], Any]) -> _Result:
        outer = self._asked
        asked: dict[Hashable, Sequence[Any]] = {}
        self._asked = asked
        try:
            value = compute()
        finally:
            outer.update(asked)
            self._asked = outer
        chosen = [(choice, self._index(choice, candidates)) for choice, candidates in asked.items()]
        found = _Result(value, asked, chosen)
        self._results[key].append(found)
        return found

    def _holds(self, result: _Result) -> bool:
        return all(self._index(choice, result.asked[choice]) == index for choice, index in result.chosen)

    def _index(self, key: Hashable, candidates: Sequence[Any]) -> int:
        index = self._world.get(key, 0)
        return index if index < len(candidates) else 0


def worlds(asked: dict[Hashable, Sequence[Any]]) -> Iterator[World]:
    """Give the worlds of some choices: all of them, or where they are too many, an even sample."""
    keys = list(asked)
    sizes = [range(len(asked[key])) for key in keys]
    if prod(map(len, sizes)) <= _MOST_WORLDS:
        yield from (dict(zip(keys, chosen, strict=True)) for chosen in product(*sizes))
        return
    yield dict.fromkeys(keys, 0)
    columns = [_column(size, seed) for seed, size in enumerate(sizes)]
    yield from (dict(zip(keys, chosen, strict=True)) for chosen in islice(zip(*columns, strict=True), _MOST_WORLDS - 1))


def _column(size: range, seed: int) -> list[int]:
    column = [*size] * (_MOST_WORLDS // max(1, len(size)) + 1)
    Random(seed).shuffle(column)  # noqa: S311 -- a sample, the same each time
    return column
