"""Which pages a dispatcher reads where there isn't room for all, and who doesn't read one any more."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from handlers.quota_dispatcher.call import Verdict
from handlers.quota_dispatcher.caller import Caller
from handlers.quota_dispatcher.clocks import Frame, Reading
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.gate import LARGE
from handlers.quota_dispatcher.grants import Slot
from handlers.quota_dispatcher.held import Held, Ref
from handlers.quota_dispatcher.library import Library
from handlers.quota_dispatcher.page_reader import AT_ONCE, PageReader
from handlers.quota_dispatcher.pages import MOST_BYTES, Page
from handlers.quota_dispatcher.quota import LATE
from handlers.quota_dispatcher.store import Store
from tests.unit.quota.test_dispatcher_parts import SETTINGS, page, record, table

URGENT = 30


class LargePages:
    """A table of large pages, and of small ones in the lane that goes first."""

    def __init__(self, size: int) -> None:
        self._size = size

    def get(self, key: tuple[int, int], unit: str = "") -> Page:
        return replace(page(f"group {key}"), unit=unit, size=self._size if key[0] else 5_000)

    def delete(self, key: tuple[int, int]) -> None:
        """It is done."""


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(("size", "lanes"), [(4_200_000, 5), (2_100_000, 10), (1_000_000, 20)])
def test_what_goes_first_is_read_first_and_all_lanes_in_turn(size: int, lanes: int, *, ordered: bool) -> None:
    assert size * lanes >= MOST_BYTES
    source: Any = LargePages(size)
    host: Any = None
    library = Library(host, source, Store(table(), "table"), host)
    counter = Counter(SETTINGS.tiers, 18_000, first=[0], ordered=ordered)
    # DynamoDB returns attributes in any order
    tails = dict.fromkeys(range(1, lanes + 1), 100) | {0: URGENT}
    found: list[int] = []
    for turn in range(50):
        library.read(counter, 10, tails)
        found += [held.ref.lane for held in counter.shelf.pick(10, turn, tails, library.pages, ())]
        library.tidy(counter)
    assert found[:URGENT] == [0] * URGENT
    assert set(found) == set(tails)


class Waiting:
    """A host on which others end when it is too late."""

    def __init__(self) -> None:
        self.now = 0
        self.others = ExitStack()

    def reading(self) -> Reading:
        return Reading(self.now, self.now)

    def sleep(self, milliseconds: int) -> None:
        self.now += milliseconds
        if self.now > LATE:
            self.others.close()


def called(caller: Caller) -> tuple[Verdict, bool]:
    """Call a message whose slot has just been taken."""
    report = caller.call(Slot("grant", 0, Frame(0, Reading(0, 0)), {}), Held(Ref(1, 1, 0)))
    return report.verdict, report.settled


def test_who_waits_for_too_long_behind_a_slow_read_reads_nothing() -> None:
    class Shelf:
        read = 0

        def size(self, *_: object) -> int:
            return LARGE

        def record(self, _: Held) -> None:
            self.read += 1

    host: Any = Waiting()
    shelf: Any = Shelf()
    nobody: Any = None
    caller = Caller(nobody, host, nobody, shelf, nobody)
    host.others.enter_context(caller._freight.messages.entered())
    assert (*called(caller), shelf.read) == (Verdict.NOT_STARTED, False, 0)


def test_who_waits_for_too_long_to_read_a_page_reads_none() -> None:
    class Source:
        read = 0

        def get(self, key: tuple[int, int], unit: str = "") -> Page:
            self.read += 1
            return Page((record(key[0]),), (0,), unit, 1_000)

    host: Any = Waiting()
    source: Any = Source()
    nobody: Any = None
    reader = PageReader(source, host.sleep)
    caller = Caller(SETTINGS, host, nobody, Library(host, source, Store(table(), "table"), reader), nobody)
    for _ in range(AT_ONCE):
        host.others.enter_context(reader._gate.entered())
    assert (*called(caller), source.read) == (Verdict.NOT_STARTED, False, 0)
