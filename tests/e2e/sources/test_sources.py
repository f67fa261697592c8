"""Each source carries 2,000 records with 2 % poison into a real database: none is lost, none takes effect twice."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any

import pytest

from tests.e2e.sources.conftest import Run
from tests.e2e.sources.records import GOOD, GROUPS, POISON
from tests.e2e.sources.sources_app import SHARDS

QUEUES = ("Standard", "Fifo")
STREAMS = ("Clicks", "Changes")


def number(kept: dict[str, Any]) -> int:
    if "kinesis" in kept:
        return json.loads(base64.b64decode(kept["kinesis"]["data"]))["number"]
    return int(kept["dynamodb"]["NewImage"]["number"]["N"])


def in_groups(numbers: frozenset[int]) -> dict[int, int]:
    return dict(Counter(each % GROUPS for each in numbers))


def test_every_source_keeps_its_promise(run: Run, subtests: pytest.Subtests) -> None:
    for name in (*QUEUES, *STREAMS):
        engine, peak, seconds = run.servers[name].engine, run.peaks[name], run.seconds[name]
        kept = f", {run.pollers[name].kept} kept in the bucket" if name in run.pollers else ""
        print(f"{name}: {engine}, peak {peak} of {run.share(name)}, {seconds:.0f} s{kept}")
    for name in (*QUEUES, *STREAMS):
        with subtests.test("the peak is within the share", source=name):
            assert 1 <= run.peaks[name] <= run.share(name)
    for name in QUEUES:
        with subtests.test("every good one once, every poison one in the dead-letter queue", source=name):
            assert run.effects[name].numbers == sorted(GOOD)
            assert run.effects[name].counted == in_groups(GOOD)
            letters = run.account.dead_letters(run.account.outputs[f"{name}DeadLetters"])
            assert Counter(letters) == Counter(POISON)
    with subtests.test("a share is used"):
        assert run.peaks["Standard"] > 1
        assert run.pollers["Clicks"].most_at_once > SHARDS
    with subtests.test("in order within each group"):
        for group, numbers in run.effects["Fifo"].in_order.items():
            assert numbers == [each for each in range(group, 2_000, GROUPS) if each in GOOD]
    for name in STREAMS:
        with subtests.test("nothing is lost, before anything is tried again", source=name):
            kept = {number(each) for each in run.account.kept(run.account.outputs[f"{name}Bucket"])}
            assert kept >= POISON
            assert kept.union(run.effects[name].numbers) == GOOD | POISON
            assert POISON.isdisjoint(run.effects[name].numbers)
