"""What a batch that does not fit its timeout costs: `batch` itself, on a clock that the models advance.

The queue: each delivery is a receive, a message that is not reported as done is visible again after six timeouts, and
the sixth receive is the dead-letter queue. The stream, under the reading that is worst for it: Lambda comes back to the
first record that is reported, each time for a retry, and gives all that is left up after ten; after an error it splits
the batch, which costs none.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import breakwater_runtime as breakwater
from breakwater_runtime import deadline
from breakwater_runtime.batches import FirstRecordFailedError, OutOfTimeError

TIMEOUT, BATCH, RECEIVES, RETRIES = 30.0, 10, 5, 10


class Clock:
    """A clock and Lambda's context in one."""

    def __init__(self) -> None:
        self.now = self.ends = 0.0

    def __call__(self) -> float:
        return self.now

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - self.now) * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(deadline, "monotonic", clock)
    return clock


def handler_of(clock: Clock, seconds: Callable[[int], float], begun: list[int]) -> Callable[..., dict[str, Any]]:
    def work(record: dict[str, Any], context: Any) -> None:
        number = int(record.get("messageId") or record["kinesis"]["sequenceNumber"])
        begun.append(number)
        clock.now += seconds(number)
        if clock.now > clock.ends:
            raise TimeoutError("killed by Lambda")

    return breakwater.batch(work)


@dataclass
class Delivered:
    begun: set[int]
    times: int
    given_up: set[int]

    @property
    def untried(self) -> int:
        return len(self.given_up - self.begun)


def through_a_queue(clock: Clock, messages: int, seconds: Callable[[int], float], *, counted: bool = True) -> Delivered:
    begun: list[int] = []
    handler, receives = handler_of(clock, seconds, begun), [0] * messages
    visible, hidden = list(range(messages)), list[tuple[float, int]]()
    workers, chance, given_up = [(0.0, worker) for worker in range(10)], random.Random(7), set[int]()  # noqa: S311
    while visible or hidden:
        start, worker = heapq.heappop(workers)
        while hidden and (hidden[0][0] <= start or not visible):
            at, number = heapq.heappop(hidden)
            start = max(start, at)
            visible.append(number)
        chance.shuffle(visible)
        received, visible = visible[:BATCH], visible[BATCH:]
        for number in received:
            receives[number] += 1
        given_up |= {number for number in received if receives[number] > RECEIVES}
        records = [
            {
                "messageId": str(number),
                "eventSource": "aws:sqs",
                "attributes": {"ApproximateReceiveCount": str(receives[number] if counted else 1)},
            }
            for number in received
            if receives[number] <= RECEIVES
        ]
        clock.now, clock.ends = start, start + TIMEOUT
        for failure in handler({"Records": records}, clock)["batchItemFailures"]:
            heapq.heappush(hidden, (start + 6 * TIMEOUT, int(failure["itemIdentifier"])))
        heapq.heappush(workers, (clock.now + 0.01, worker))
    return Delivered(set(begun), len(begun), given_up)


def through_a_stream(clock: Clock, records: int, batch: int, seconds: Callable[[int], float]) -> Delivered:
    begun: list[int] = []
    handler, given_up = handler_of(clock, seconds, begun), set[int]()
    batches = [(list(range(first, min(first + batch, records))), 0) for first in range(0, records, batch)]
    while batches:
        numbers, tries = batches.pop(0)
        event = [{"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": str(number)}} for number in numbers]
        clock.ends = clock.now + TIMEOUT
        try:
            failures = handler({"Records": event}, clock)["batchItemFailures"]
        except (FirstRecordFailedError, OutOfTimeError):
            half = len(numbers) // 2
            batches[:0] = [(numbers[:half], tries), (numbers[half:], tries)]
            continue
        if not failures:
            continue
        left = numbers[numbers.index(int(failures[0]["itemIdentifier"])) :]
        if tries == RETRIES:
            given_up |= set(left)
        else:
            batches.insert(0, (left, tries + 1))
    return Delivered(set(begun), len(begun), given_up)


@pytest.mark.parametrize(("seconds", "before", "now"), [(5, 102, 2), (9, 695, 312), (16, 2_696, 2_512)])
def test_messages_that_came_more_often_are_begun_before_others(
    clock: Clock, seconds: float, before: int, now: int
) -> None:
    """The figures are those of docs/decoupled.md."""
    assert through_a_queue(clock, 5_000, lambda _: seconds, counted=False).untried == before
    ordered = through_a_queue(clock, 5_000, lambda _: seconds)
    assert ordered.untried == now
    assert ordered.times == len(ordered.begun)


@pytest.mark.parametrize("seconds", [1, 3, 7, 16, 29])
@pytest.mark.parametrize("batch", [10, 100, 1_000])
def test_no_good_record_of_a_stream_is_given_up(clock: Clock, seconds: float, batch: int) -> None:
    records = 2_000
    delivered = through_a_stream(clock, records, batch, lambda _: seconds)
    print(f"batches of {batch}, {seconds} s: {delivered.times - records} of {records} done again")
    assert delivered.given_up == set()
    assert delivered.begun == set(range(records))
    # what the environment learns from its first batches saves the others
    assert delivered.times - records < records * 0.02


def test_no_good_record_of_a_stream_is_given_up_when_durations_vary(clock: Clock) -> None:
    chance = random.Random(3)  # noqa: S311
    durations = [min(28.0, chance.expovariate(1 / 5)) for _ in range(2_000)]
    delivered = through_a_stream(clock, len(durations), 100, durations.__getitem__)
    print(f"exponential: {delivered.times - 2_000} done again")
    assert delivered.given_up == set()
    assert delivered.begun == set(range(2_000))
