"""What a dispatcher takes: memory, bytes of its state, and time of its first invocation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cdk_breakwater.quota.reachable_rate import dispatcher_memory
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.freight import Freight, memory_of
from handlers.quota_dispatcher.gate import LARGE, Gate
from handlers.quota_dispatcher.grants import Grant
from handlers.quota_dispatcher.held import Held, Ref, load_ref
from handlers.quota_dispatcher.library import Library
from handlers.quota_dispatcher.page_reader import AT_ONCE, PageReader
from handlers.quota_dispatcher.pages import Page, fitting

PACKAGE = "handlers.quota_dispatcher"


@pytest.mark.parametrize(
    ("per_second", "hands", "has_keys", "memory"),
    [
        (15, 30, False, 256),
        (38, 32, False, 256),
        (39, 32, False, 512),
        (15, 33, False, 512),
        (15, 30, True, 512),
        (0, 10, False, 512),  # tiers that count weights alone
        (76, 100, False, 512),
        (77, 100, False, 1_769),
    ],
)
def test_memory_follows_from_the_rate_and_the_calls_at_once(
    per_second: float, hands: int, has_keys: bool, memory: int
) -> None:
    assert dispatcher_memory(per_second, hands, has_keys=has_keys) == memory


class Table:
    """Pages that take a while to be read."""

    def __init__(self) -> None:
        self.reads, self.at_once, self.most_at_once = 0, 0, 0
        self._lock = threading.Lock()
        self._as_many_as_may = threading.Event()

    def get(self, key: tuple[int, int]) -> Page | None:
        with self._lock:
            self.reads += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            if self.at_once == AT_ONCE:
                self._as_many_as_may.set()
        self._as_many_as_may.wait(1)  # the machine may be slow to start the others
        time.sleep(0.01)
        with self._lock:
            self.at_once -= 1
        return None if key[1] < 0 else Page(({"body": str(key)},), (0,), size=6_000_000)


def read_by_threads(keys: list[tuple[int, int]]) -> tuple[Table, list[Page | None]]:
    table: Any = Table()
    reader = PageReader(table, lambda milliseconds: time.sleep(milliseconds / 1000))
    found: list[Page | None] = [None] * len(keys)

    def read(index: int) -> None:
        found[index] = reader.page(keys[index])

    threads = [threading.Thread(target=read, args=(index,)) for index in range(len(keys))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return table, found


def test_few_pages_are_read_at_once_however_many_calls_need_one() -> None:
    keys = [(1, number) for number in range(20)]
    table, found = read_by_threads(keys)
    assert [page and page.records[0]["body"] for page in found] == [str(key) for key in keys]
    assert (table.reads, table.most_at_once) == (20, AT_ONCE)


def test_calls_of_one_page_do_not_each_read_it() -> None:
    table, found = read_by_threads([(1, 7)] * 30)
    assert table.reads <= AT_ONCE
    assert len({page and page.records[0]["body"] for page in found}) == 1


def test_a_page_that_is_not_there_is_looked_for_by_each() -> None:
    table, found = read_by_threads([(1, -1)] * 3)
    assert (table.reads, found) == (3, [None] * 3)


MEBIBYTE = 1 << 20


def message(body: str) -> dict[str, Any]:
    return {"messageId": "m", "body": body, "attributes": {}, "messageAttributes": {}}


@pytest.mark.parametrize(("memory", "hands"), [(256, 32), (512, 100)])
def test_large_messages_in_all_hands_leave_room_for_lambda(memory: int, hands: int) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.unit.quota.large_messages", str(memory), str(hands)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "done" in answer.stderr, answer.stderr
    assert int(answer.stdout) < 180 * 1024, answer.stderr


def test_one_emoji_makes_a_text_four_times_as_large() -> None:
    plain, tainted = memory_of(message("x" * MEBIBYTE)), memory_of(message("x" * MEBIBYTE + "\U0001f600"))
    assert (plain // MEBIBYTE, tainted // MEBIBYTE) == (1, 4)
    attribute = {"k": {"stringValue": "x" * MEBIBYTE, "dataType": "String"}}
    assert memory_of(message("") | {"messageAttributes": attribute}) > MEBIBYTE


@pytest.mark.parametrize(("size", "count"), [(20, 100), (5_000, 100), (MEBIBYTE // 4, 3), (MEBIBYTE, 1)])
def test_messages_share_a_page_as_far_as_it_takes_a_megabyte(size: int, count: int) -> None:
    assert fitting([message("x" * size)] * 100) == count


def test_what_is_filed_anew_is_divided_into_pages_of_a_megabyte() -> None:
    class Source:
        def get(self, key: tuple[int, int]) -> Page | None:
            return None if key[1] == 3 else Page((message("x" * (400_000 if key[1] % 2 else 700_000)),), (0,), size=1)

    source: Any = Source()
    nobody: Any = None
    library = Library(nobody, source, nobody, PageReader(source, lambda _: None))
    members = [Held(Ref(1, number, 0, 0)) for number in range(1, 8)]
    portions = list(library.portions(members))
    assert [[held.ref.page for held in portion] for portion, _ in portions] == [[1], [2], [4], [5], [6], [7]]
    assert [len(records) for _, records in portions] == [1] * 6
    small = list(library.portions([members[0], members[4]]))
    assert [len(records) for _, records in small] == [2]


def test_a_message_waits_for_room_unless_it_is_the_only_one() -> None:
    ends: list[bytes] = []
    freight = Freight(250, lambda _: freight.give_back(ends.pop()))
    first = freight.take(message("x" * 200), lambda: True)
    assert first is not None
    assert json.loads(first) == {"Records": [message("x" * 200)]}
    assert freight.take(message("y"), lambda: True) is None
    ends.append(first)
    assert freight.take(message("y"), lambda: False), "the first one has ended"


@pytest.mark.parametrize(("size", "most"), [(LARGE - 1, 5), (LARGE, 1)])
def test_large_things_are_done_by_one_thread_at_a_time(size: int, most: int) -> None:
    gate, inside = Gate(lambda milliseconds: time.sleep(milliseconds / 1000)), [0]
    all_who_may = threading.Barrier(most)
    seen: list[int] = []

    def work() -> None:
        with gate.alone(size):
            inside[0] += 1
            seen.append(inside[0])
            all_who_may.wait(10)
            time.sleep(0.01)
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(seen) == most


@pytest.mark.parametrize("failures", [0, 2])
@pytest.mark.parametrize("weight", [0, 1, 5])
@pytest.mark.parametrize("group", [0, 77])
@pytest.mark.parametrize("index", [0, 3])
def test_a_message_is_written_without_its_zeros(index: int, group: int, weight: int, failures: int) -> None:
    ref = Ref(1, 12, index, group, weight)
    flat = json.loads(json.dumps(ref.dump(failures)))
    assert load_ref(flat, 1) == (ref, [failures])
    due = ref.dump(failures, 99)
    assert load_ref(due, 2) == (ref, [failures, 99])
    grant = Grant(1, 2, 1, messages=[Held(ref, failures)])
    assert Grant.load(json.loads(json.dumps(grant.dump()))).messages == grant.messages
    if (group, weight, failures) == (0, 1, 0):
        assert flat == [1, 12, index]


def test_what_is_empty_is_not_written_and_is_read_as_empty() -> None:
    counter = Counter([{"limit": 5, "period": 1_000}], 18_000, first=[], ordered=False)
    text = counter.dump()
    assert set(json.loads(text)) == {"version", "tiers", "quota", "shelf"}
    again = Counter([], 18_000, first=[], ordered=False).load(text)
    assert again.dump() == text
    assert (again.writers, again.away, again.away_since, again.migrating, again.shelf.returned) == ({}, 0, 0, False, [])


@pytest.mark.parametrize("missing", ["tiers", "quota", "shelf"])
def test_state_that_is_no_state_is_not_taken_for_a_fresh_quota(missing: str) -> None:
    state = json.loads(Counter([], 18_000, first=[], ordered=False).dump())
    del state[missing]
    with pytest.raises(KeyError, match=missing):
        Counter([], 18_000, first=[], ordered=False).load(json.dumps(state))


@pytest.mark.parametrize(
    ("module", "made"),
    [("dispatcher", "process.clients"), ("acquirer", "process.clients"), ("intake", "intake._clients")],
)
def test_clients_are_made_in_the_init_phase(module: str, made: str) -> None:
    settings: dict[str, object] = {
        "name": "Q", "table": "t", "function": "f", "lanes": {}, "first": [], "former": [], "dead_letters": "d",
        "doorbell": "r", "ordered": False, "parallelism": 1, "longest_call": 18_000, "max_attempts": 3, "tiers": [],
    }  # fmt: skip
    file, cached = made.split(".")
    code = f"import {PACKAGE}.{module}, {PACKAGE}.{file} as file; print(file.{cached}.cache_info().currsize)"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3] / "lambda_src"),
            "AWS_DEFAULT_REGION": "eu-central-1",
            "BREAKWATER_QUOTA": json.dumps(settings),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout == "1\n", answer.stderr
