"""Each source carries 2,000 records with 2 % poison into a real database: none is lost, none takes effect twice."""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any

import pytest

from tests.e2e.sources.records import COUNT, GOOD, GROUPS, POISON, record
from tests.e2e.sources.running import Run
from tests.e2e.sources.sources_app import SHARDS, STACK

QUEUES = ("Standard", "Fifo")
STREAMS = ("Clicks", "Changes")


def number(kept: dict[str, Any]) -> int:
    if "kinesis" in kept:
        return json.loads(base64.b64decode(kept["kinesis"]["data"]))["number"]
    return int(kept["dynamodb"]["NewImage"]["number"]["N"])


def each_once(run: Run, name: str, numbers: frozenset[int]) -> None:
    effects = run.effects(name)
    assert effects.numbers == sorted(numbers)
    assert effects.counted == Counter(each % GROUPS for each in numbers)


def kept_numbers(run: Run, name: str) -> set[int]:
    return {number(each) for each in run.account.kept(run.account.outputs[f"{name}Bucket"])}


# One test, so that workers of pytest-xdist don't each make a run of their own.
def test_every_source_keeps_its_promise(run: Run, subtests: pytest.Subtests) -> None:
    for name in (*QUEUES, *STREAMS):
        engine, peak, seconds = run.servers[name].engine, run.peaks[name], run.seconds[name]
        kept = f", {run.pollers[name].kept} kept in the bucket" if name in run.pollers else ""
        print(f"{name}: {engine}, peak {peak} of {run.share(name)}, {seconds:.0f} s{kept}")
        with subtests.test("the peak is within the share", source=name):
            assert 1 <= peak <= run.share(name)
    with subtests.test("a share is used"):
        assert run.peaks["Standard"] > 1
        assert run.pollers["Clicks"].most_at_once > SHARDS

    for name in (*QUEUES, *STREAMS):
        with subtests.test("every good one once", source=name):
            each_once(run, name, GOOD)
    for name in QUEUES:
        with subtests.test("every poison one in the dead-letter queue, with its payload", source=name):
            letters = run.account.dead_letters(run.account.outputs[f"{name}DeadLetters"])
            assert sorted(letters, key=lambda letter: letter["number"]) == [record(each) for each in sorted(POISON)]
    with subtests.test("in order within each group"):
        for group, numbers in run.effects("Fifo").in_order.items():
            assert numbers == [each for each in range(group, COUNT, GROUPS) if each in GOOD]

    for name in STREAMS:
        command = ("redrive", STACK, "--construct", f"{STACK}/{name}")
        with subtests.test("every poison one in the bucket, alone", source=name):
            assert kept_numbers(run, name) == POISON
            assert run.pollers[name].kept == len(POISON)
        with subtests.test("nothing is moved unasked", source=name):
            assert "Nothing was moved" in run.account.breakwater(*command)
        with subtests.test("what fails again stays", source=name):
            assert f"0 done, {len(POISON)} failed again" in run.account.breakwater(*command, "--yes")
            each_once(run, name, GOOD)
            assert kept_numbers(run, name) == POISON
        with subtests.test("once mended, all of them once", source=name):
            run.account.mend(name)
            assert f"{len(POISON)} done" in run.account.breakwater(*command, "--yes")
            each_once(run, name, GOOD | POISON)
            assert kept_numbers(run, name) == set()
