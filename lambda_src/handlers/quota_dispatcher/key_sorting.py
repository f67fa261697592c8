"""How what was filed comes to lie on pages of the keys: whoever sorts the same messages writes the same pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .keys import number_of
from .pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .held import Held

_LANES, _MESSAGES = 1 << 10, 1 << 12
"""More than there are lanes, and messages of a page."""


class Run(NamedTuple):
    """Neighbours on a page of a lane, which are sorted together. Their keys' pages are named for it."""

    lane: int
    page: int
    first: int
    count: int

    @property
    def number(self) -> int:
        """The number of a page of a key that holds messages of this run."""
        return ((self.page * _LANES + self.lane) * _MESSAGES + self.first) * _MESSAGES + self.count

    @classmethod
    def of(cls, number: int) -> Run:
        """Return the run for which a page of a key is named."""
        rest, count = divmod(number, _MESSAGES)
        rest, first = divmod(rest, _MESSAGES)
        page, lane = divmod(rest, _LANES)
        return cls(lane, page, first, count)


class KeyPage(NamedTuple):
    """Messages of one key, in the order in which they were filed."""

    key: int
    number: int
    page: Page


def sort(picks: Iterable[Held], page_at: Callable[[tuple[int, int]], Page | None], source: str) -> list[KeyPage]:
    """Return pages of keys with what was picked; nothing of a page that is gone, since all of it was done.

    Parameters
    ----------
    picks
        Messages of lanes.
    page_at
        Returns a page of a lane.
    source
        Where the key stands in a message.
    """
    places: dict[tuple[int, int], list[Held]] = {}
    for held in picks:
        places.setdefault(held.ref[:2], []).append(held)
    return [
        found
        for place, members in places.items()
        if (page := page_at(place))
        for run in _runs(sorted(members, key=lambda held: held.ref.index))
        for found in _by_key(run, page, source)
    ]


def _by_key(run: list[Held], page: Page, source: str) -> Iterator[KeyPage]:
    lane, number = run[0].ref[:2]
    name = Run(lane, number, run[0].ref.index, len(run)).number
    by_key: dict[int, list[tuple[dict[str, Any], int]]] = {}
    for held in run:
        record = page.records[held.ref.index]
        by_key.setdefault(number_of(record, source), []).append((record, held.failures))
    for key, messages in by_key.items():
        records, failed = zip(*messages, strict=True)
        yield KeyPage(key, name, Page(records, failed))


def _runs(members: list[Held]) -> list[list[Held]]:
    """Cut what lies on a page into runs of neighbours."""
    runs: list[list[Held]] = []
    for held in members:
        if runs and runs[-1][-1].ref.index + 1 == held.ref.index:
            runs[-1].append(held)
        else:
            runs.append([held])
    return runs
