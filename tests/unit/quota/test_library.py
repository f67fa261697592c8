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


def test_who_waits_for_too_long_to_read_a_page_reads_none() -> None:
    class Waiting:
        now = 0

        def reading(self) -> Reading:
            return Reading(self.now, self.now)

        def sleep(self, milliseconds: int) -> None:
            self.now += milliseconds
            if self.now > LATE:
                others.close()

    class Source:
        read = 0

        def get(self, key: tuple[int, int], unit: str = "") -> Page:
            self.read += 1
            return Page((record(key[0]),), (0,), unit, 1_000)

    host: Any = Waiting()
    source: Any = Source()
    nobody: Any = None
    reader, others = PageReader(source, host.sleep), ExitStack()
    caller = Caller(SETTINGS, host, nobody, Library(host, source, Store(table(), "table"), reader), nobody)
    for _ in range(AT_ONCE):
        others.enter_context(reader._gate.entered())
    slot = Slot("grant", 0, Frame(0, host.reading()), {})
    report = caller.call(slot, Held(Ref(1, 1, 0)))
    assert (report.verdict, report.settled, source.read) == (Verdict.NOT_STARTED, False, 0)
