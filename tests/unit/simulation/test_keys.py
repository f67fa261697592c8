"""Message groups and lanes of partition keys: what their order costs, by hand and by the model of one lane."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_breakwater.simulation.entries import Queue
from cdk_breakwater.simulation.failing import Failing
from cdk_breakwater.simulation.history import History
from cdk_breakwater.simulation.invocation import Outcome
from cdk_breakwater.simulation.keys import keys_of_messages, lane_of, parts_of_lanes
from cdk_breakwater.simulation.load import spike
from cdk_breakwater.simulation.messages import GroupedMessages, Message
from cdk_breakwater.simulation.run import Model, simulate
from cdk_breakwater.simulation.stream_mapping import StreamMapping, read

from .bursts import application, fifo, stream


def chance() -> Random:
    return Random(1)  # noqa: S311 -- keys


def run(entry: Queue, *, patience: float | None = None) -> History:
    """Let each message take a second, without cold starts and without limits."""
    burst = application(entry, seconds=1, timeout=math.inf, usable=1_000, cold_start=0)
    return simulate(burst, model=Model.EVENTS, patience=patience)


def test_a_message_that_fails_holds_up_its_group_for_all_its_receives() -> None:
    """The first is done at 1 s; the second comes at 1, 21 and 41 s, and is gone at 61 s; then the third one is done."""
    history = run(fifo(spike(3), 1, failing=1 / 3))
    came = history.entries["Q"]
    assert (came.done.total, came.lost.total, came.failed.total) == (2, 1, 3)
    assert history.drained == pytest.approx(62)
    assert came.blocked.peak == 1


def test_other_groups_go_on_meanwhile() -> None:
    history = run(fifo(spike(4), 4, failing=1 / 4))
    assert sum(history.entries["Q"].done.values[: round(1.1 / history.step)]) == 3
    assert (history.entries["Q"].lost.total, history.drained) == (1, pytest.approx(60))


@pytest.mark.parametrize(("reports", "lost"), [(True, 3), (False, 4)])
def test_a_batch_of_a_group_shares_the_receives_of_the_one_that_fails(reports: bool, lost: int) -> None:
    """The first comes alone. Of the four others the second fails, and what is behind it is never tried."""
    came = run(fifo(spike(5), 1, batch_size=10, failing=1 / 5, reports=reports)).entries["Q"]
    assert (came.done.total, came.lost.total) == (5 - lost, lost)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_no_more_batches_are_in_work_than_there_are_groups(model: Model) -> None:
    history = simulate(application(fifo(spike(300), 3, maximum_concurrency=None)), model=model)
    assert history.functions["F"].concurrency.peak == pytest.approx(3, abs=0.01)
    assert history.drained == pytest.approx(1 + 300 * 0.2 / 3, rel=0.02)
    assert history.entries["Q"].grouped is not None


@settings(max_examples=40)
@given(st.data())
def test_groups_are_in_order_and_one_batch_of_each_is_in_flight(data: st.DataObject) -> None:
    """Whatever is sent, received, done and failed in whatever order: nothing overtakes, and nothing is mislaid."""
    queue = GroupedMessages(None)
    in_flight: list[list[Message]] = []
    hidden: list[list[Message]] = []
    open_: dict[str, list[int]] = {key: [] for key in "abc"}
    sent = 0
    for _ in range(data.draw(st.integers(1, 60))):
        action = data.draw(st.sampled_from(["send", "send", "receive", "end", "show"]))
        if action == "send":
            key = data.draw(st.sampled_from("abc"))
            queue.add(Message(sent, float(sent), key, is_bad=False))
            open_[key].append(sent)
            sent += 1
        elif action == "receive":
            others = {each.key for batch in in_flight + hidden for each in batch}
            batch, _ = queue.receive(data.draw(st.integers(1, 4)))
            for key in {each.key for each in batch}:
                assert key not in others
                numbers = [each.number for each in batch if each.key == key]
                assert numbers == open_[key][: len(numbers)]
            in_flight += [batch] if batch else []
        elif action == "end" and in_flight:
            batch = in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
            bad = set(data.draw(st.lists(st.sampled_from("abc"))))
            failed, done = ([each for each in batch if (each.key in bad) is is_bad] for is_bad in (True, False))
            queue.end(done, failed)
            for each in done:
                open_[each.key].remove(each.number)
            hidden += [failed] if failed else []
        elif action == "show" and hidden:
            queue.show(hidden.pop(data.draw(st.integers(0, len(hidden) - 1))))
        received = [each for batch in in_flight + hidden for each in batch]
        waiting = {key: len(numbers) - sum(each.key == key for each in received) for key, numbers in open_.items()}
        assert len(queue) == sum(waiting.values())
        assert queue.blocked == sum(waiting[key] for key in {each.key for batch in hidden for each in batch})
        out = {each.number for each in received}
        oldest = min((number for numbers in open_.values() for number in numbers if number not in out), default=None)
        assert queue.oldest == oldest


@pytest.mark.parametrize("splits", [True, False])
@pytest.mark.parametrize("reports", [True, False])
def test_a_lane_does_what_the_model_of_one_shard_does(reports: bool, splits: bool) -> None:
    records, failing, attempts, batch = 300, 0.03, 4, 20
    chances = Failing(failing)
    bad = [chances.next_one() for _ in range(records)]

    def function(batch: Sequence[int]) -> Outcome:
        first = next((place for place, number in enumerate(batch) if bad[number + 1]), None)
        if first is None:
            return Outcome(len(batch))
        error = not reports or (splits and first == 0 and len(batch) > 1)
        return Outcome(first + 1, [] if error else [batch[first]], error=error)

    # The first record comes alone, and the others while it is in work.
    shard = read(StreamMapping(batch, attempts - 1, splits=splits), records - 1, function)
    entry = stream(
        spike(records),
        batch_size=batch,
        shards=1,
        factor=1,
        most_attempts=attempts,
        failing=failing,
        reports=reports,
        splits=splits,
    )
    history = run(entry)
    came = history.entries["S"]
    assert (came.lost.total, came.failed.total) == (len(shard.given_up), shard.again)
    assert history.drained == pytest.approx(1 + shard.seconds)


def test_a_record_that_is_tried_without_end_keeps_its_lane() -> None:
    history = run(stream(spike(100), 50, failing=0.01, most_attempts=None, batch_size=1), patience=600)
    came = history.entries["S"]
    assert (history.drained, came.lost.total) == (None, 0)
    # Lanes without it are done.
    (lane,) = (lane_of(key, 2, 4) for key, is_bad in entry_contents() if is_bad)
    behind = [lane_of(key, 2, 4) for key, _ in entry_contents()].count(lane)
    assert 1 <= history.left <= behind


def entry_contents() -> list[tuple[str, bool]]:
    contents = stream(spike(100), 50, failing=0.01).contents(chance())
    return [next(contents) for _ in range(100)]


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_a_stream_takes_as_long_as_its_fullest_lane(model: Model) -> None:
    lanes = Counter(lane_of(str(key), 2, 4) for key in range(50))
    burst = application(stream(spike(2_000), 50), cold_start=0)
    history = simulate(burst, model=model)
    assert max(lanes.values()) >= 9, "an even one has 6.25"
    assert history.drained == pytest.approx(max(lanes.values()) / 50 * 2_000 * 0.2, rel=0.02)
    assert history.entries["S"].lanes.count(0) == 8 - len(lanes)
    assert max(history.entries["S"].lanes) == pytest.approx(max(lanes.values()) / 50 * 2_000)


def test_a_key_belongs_to_the_shard_in_whose_range_its_md5_falls() -> None:
    """As `aws kinesis create-stream --shard-count 4` divides the 2^128 hash keys."""
    ends = [number * 2**126 for number in range(1, 5)]
    for key in map(str, range(200)):
        hashed = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
        shard = next(number for number, end in enumerate(ends) if hashed < end)
        assert lane_of(key, 4, 1) == shard
        assert lane_of(key, 4, 5) // 5 == shard


@pytest.mark.parametrize(
    ("keys", "shards", "factor"), [(1, 1, 1), (7, 3, 2), (1_000, 4, 10), (20_000, 20, 10), (None, 5, 2)]
)
def test_all_records_have_a_lane(keys: int | None, shards: int, factor: int) -> None:
    lanes = parts_of_lanes(keys, shards, factor)
    assert sum(part * number for part, number in lanes.items()) == pytest.approx(1)
    assert lanes.total() <= shards * factor
    assert len(lanes) <= 12


def test_keys_come_equally_often_and_in_no_fixed_order() -> None:
    names = keys_of_messages(10, chance())
    drawn = [next(names) for _ in range(1_000)]
    assert set(Counter(drawn).values()) == {100}
    assert drawn[:10] != drawn[10:20]
    own = keys_of_messages(None, chance())
    assert len({next(own) for _ in range(1_000)}) == 1_000
