"""`python -m tests.simulation.backlog`: what a turn costs while one key has a long backlog, by its pages."""

from __future__ import annotations

import random
import time
from typing import Any

from handlers.quota_dispatcher.blobs import Blobs, items_of
from handlers.quota_dispatcher.call import Verdict
from handlers.quota_dispatcher.clocks import Reading
from handlers.quota_dispatcher.compact_json import dumps
from handlers.quota_dispatcher.key_library import KeyLibrary
from handlers.quota_dispatcher.key_sorting import Run
from handlers.quota_dispatcher.keyed_counter import KeyedCounter
from handlers.quota_dispatcher.keys import FIRST_NUMBER
from handlers.quota_dispatcher.page_reader import PageReader
from handlers.quota_dispatcher.pages import Pages
from handlers.quota_dispatcher.reports import Report
from tests.simulation.keyed_account import quiet
from tests.simulation.provider import Limit

KEY = FIRST_NUMBER + 7
TURNS = 30


class Table:
    """Items without a network."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        names = [key["id"]["S"] for key in wanted["Keys"]]
        return {"Responses": {table: [self.items[name] for name in names if name in self.items]}}

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        for each in request["RequestItems"]["table"]:
            if put := each.get("PutRequest"):
                self.items[put["Item"]["id"]["S"]] = put["Item"]
            else:
                self.items.pop(each["DeleteRequest"]["Key"]["id"]["S"], None)
        return {}


def turns(pages: int) -> tuple[float, int]:
    """Return the processor time of a turn (ms), which calls some messages of the key, and the bytes that it writes."""
    settings = quiet((Limit(20, 1_000),), (Limit(5, 1_000),)).settings
    table, now, draw = Table(), 1_800_000_000_000, random.Random(1)  # noqa: S311 -- a load
    library = KeyLibrary(
        Blobs(table, "table", lambda _: None),
        PageReader(Pages(table, "table"), lambda _: None),
        lambda: Reading(now, now),
    )

    def made(text: str = "") -> KeyedCounter:
        counter = settings.counter()
        assert isinstance(counter, KeyedCounter)
        if text:
            counter.load(text)
        counter.lend(library, 30)
        counter.advance(Reading(now, now), None)
        return counter

    def written(counter: KeyedCounter) -> str:
        library.write_down(counter)
        text = counter.dump()
        library.tidy(counter)
        return text

    counter, page = made(), 0
    for _ in range(pages):
        page += 1 + int(draw.expovariate(0.5))
        counter.key(KEY).line.pages.add(Run(1, page, draw.randrange(8), draw.choice((1, 1, 2, 30))).number, 1)
    counter.index.touch(KEY)
    counter._seal()
    text = written(counter)
    (volume,) = library.volumes(counter.index.names()).values()
    size = sum(len(item["content"]["B"]) for item in items_of("volume", dumps(volume)))
    reports: list[Report] = []
    began = time.process_time()
    for _ in range(TURNS):
        now += 1_200
        counter = made(text)
        for report in reports:
            counter.report(report)
        calls = counter.take("dispatcher", 20, 1_000, {}, {}).calls
        reports = [Report(slot, held, counter.quota.clock, Verdict.DONE) for slot, held in calls]
        text = written(counter)
    assert reports, "it calls something"
    return 1_000 * (time.process_time() - began) / TURNS, size


if __name__ == "__main__":
    for count in (10, 1_000, 5_000, 20_000, 50_000):
        spent, size = turns(count)
        print(f"{count:6,} pages: {spent:5.1f} ms of processor time a turn, {size / 1_024:4.0f} KB written")
