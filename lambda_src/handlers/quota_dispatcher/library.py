"""The pages that a dispatcher has read, and what it does with them: read ahead, delete, file anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .aws_errors import AwsError
from .counter import DAY
from .freight import memory_of
from .log import log
from .pages import MOST_BYTES, fitting, forget_oldest
from .shelf import HOLE, MOST_RETURNED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .counter import Counter
    from .held import Held, Ref
    from .host import Host
    from .page_reader import PageReader
    from .pages import Page, Pages
    from .process import Memory
    from .store import Store

SWEPT_AT_ONCE = 20
"""Requests of a sweep, each of which sees 1 MB (Amazon DynamoDB API Reference, "Scan")."""
REFILED = 100
"""So many at once are filed anew."""
READ_AT_ONCE = 150
"""Pages that are read in a turn: as many as it takes when each holds one message."""
WEIGHED_AT_ONCE = 10
"""Pages that are read in a turn for weights that are not known."""
BETWEEN_LOOKS = 500
"""Milliseconds, at most, from one look at a page that isn't there to the next."""


class Library:
    """Pages by lane and number.

    Parameters
    ----------
    host, pages, store, reader
        Of the dispatcher.

    Attributes
    ----------
    pages
        None for one that was not there.
    """

    def __init__(self, host: Host, pages: Pages, store: Store, reader: PageReader) -> None:
        self._host = host
        self._pages = pages
        self._store = store
        self._reader = reader
        self.pages: dict[tuple[int, int], Page | None] = {}
        self._unit = ""
        self._looked: dict[tuple[int, int], int] = {}

    def read(self, counter: Counter, room: int, tails: Mapping[int, int]) -> None:
        """Read what is needed to pick so many messages."""
        if self._unit != counter.quota.unit:
            self._unit = counter.quota.unit
            self.pages.clear()
        if room and self._unit:
            for key in counter.shelf.unweighed()[:WEIGHED_AT_ONCE]:
                if self._has_room():
                    self.pages[key] = self._get(key)
            counter.shelf.weigh(self.pages)
        # What was not there may have come, also since a write that failed: what follows upon it must not overtake it.
        self.pages = {key: page for key, page in self.pages.items() if page}
        for key, until in counter.shelf.holes.items():
            if key not in self.pages and self._may_be_there(key, until, counter, room) and self._has_room():
                self.pages[key] = self._get(key)
        wanted, read = counter.wanted(room), 0
        sorts = wanted > room
        while (
            wanted
            and not (sorts and read >= READ_AT_ONCE)
            and self._has_room()
            and (missing := counter.shelf.wanted_pages(wanted, tails, self.pages))
        ):
            for key in missing:
                if self._has_room():
                    self.pages[key] = self._next(key)
                    read += 1

    def _may_be_there(self, key: tuple[int, int], until: int, counter: Counter, room: int) -> bool:
        """Tell whether to look at a page again: most come within milliseconds, and others after a minute or never."""
        clock, noticed = counter.quota.clock, until - HOLE
        last = self._looked.get(key, noticed)
        # In order, what is read behind it may follow upon what is on it.
        looks = room > 0 and (counter.shelf.ordered or clock - last >= min(BETWEEN_LOOKS, (last - noticed) // 2))
        if looks:
            self._looked[key] = clock
        return looks or until < clock

    def record(self, held: Held, is_late: Callable[[], bool] | None = None) -> dict[str, Any] | None:
        """Return a message as its function gets it; None when its page is gone, since all of it was done."""
        key = held.ref[:2]
        page = self.pages.get(key) or self._reader.page(key, is_late)
        return None if page is None else {**page.records[held.ref.index], "receiptHandle": ""}

    def portions(self, members: Sequence[Held]) -> Iterator[tuple[list[Held], list[dict[str, Any]]]]:
        """Return messages, as many at a time as have room on a page; without those whose page is gone."""
        left: list[tuple[Held, dict[str, Any]]] = []
        for held in members:
            record = self.record(held)
            if record is None:
                continue
            left.append((held, record))
            if fitting(found for _, found in left) < len(left):
                yield [each for each, _ in left[:-1]], [found for _, found in left[:-1]]
                left = left[-1:]
        if left:
            yield [held for held, _ in left], [found for _, found in left]

    def size(self, held: Held, is_late: Callable[[], bool] | None = None) -> int:
        """Return about how many bytes `record` takes, without keeping it."""
        record = self.record(held, is_late)
        return memory_of(record) if record else 0

    def tidy(self, counter: Counter) -> set[tuple[int, int]]:
        """Delete pages of which nothing is left to do, and keep no more than is of use. Return what was deleted."""
        deleted = {key for key in counter.finished() if self._deleted(key)}
        kept = {key: page for key, page in self.pages.items() if page is not None and key not in deleted}
        forget_oldest(kept, MOST_BYTES // 2)
        self.pages = {**kept}
        return deleted

    def sweep(self, counter: Counter, memory: Memory) -> None:
        """Once a day, look through the table for pages that were put after they were given up or deleted.

        An intake may die between the parts of a page, and a request may arrive a minute after another one has taken its
        place. A part of the table at a time; how far it has come, this process remembers.
        """
        if max(counter.swept, memory.swept) > counter.quota.clock - DAY:
            return
        try:
            for _ in range(SWEPT_AT_ONCE):
                names, memory.swept_to = self._pages.list(memory.swept_to)
                for name in names:
                    if counter.abandoned(name):
                        self._pages.delete_part(name)
                if memory.swept_to is None:
                    memory.swept = counter.quota.clock
                    return
        except AwsError as error:
            log("sweeping failed", error=repr(error))

    def refile(self, counter: Counter) -> set[Ref]:
        """File what is too much to be remembered one by one anew, at the end of its lane.

        Returns
        -------
        set of Ref
            Where it lay; the next write forgets that.
        """
        waiting = counter.shelf.returned
        if counter.shelf.ordered or len(waiting) <= MOST_RETURNED:
            return set()
        lanes: dict[int, list[Held]] = {}
        for entry in sorted(waiting, key=lambda entry: entry.due)[MOST_RETURNED - REFILED :]:
            lanes.setdefault(entry.held.ref.lane, []).append(entry.held)
        return {ref for lane, members in lanes.items() for ref in self._refiled(lane, members)}

    def _has_room(self) -> bool:
        return sum(page.size for page in self.pages.values() if page) < MOST_BYTES

    def _get(self, key: tuple[int, int]) -> Page | None:
        return self._pages.get(key, self._unit)

    def _deleted(self, key: tuple[int, int]) -> bool:
        try:
            self._pages.delete(key)
        except AwsError as error:
            log("deleting a page failed", error=repr(error))
            return False
        return True

    def _refiled(self, lane: int, members: list[Held]) -> set[Ref]:
        done: set[Ref] = set()
        try:
            for portion, records in self.portions(members):
                key = (lane, self._store.number_pages({lane: len(portion)}).tails[lane])
                self._pages.put(key, records, [held.failures for held in portion])
                done |= {held.ref for held in portion}
        except AwsError as error:
            log("filing anew failed", error=repr(error))
            return done
        return {held.ref for held in members}

    def _next(self, key: tuple[int, int]) -> Page | None:
        page = self._get(key)
        if page is None:
            self._host.sleep(30)  # It has its number, and is about to be put.
            page = self._get(key)
        return page
