"""One call per record, and only what failed comes again: queues, FIFO groups, streams, deadlines."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import breakwater_runtime as breakwater
from breakwater_runtime.batches import FirstRecordFailedError, OutOfTimeError
from breakwater_runtime.testing import quota_event

QUEUE = "arn:aws:sqs:eu-central-1:123456789012:jobs"


class Clock:
    """Time that passes when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("breakwater_runtime.deadline.monotonic", clock)
    return clock


class Context:
    """Counts down from a number of seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - self._clock()) * 1000)


def sqs(number: int, group: str | None = None, *, arn: str = QUEUE) -> dict[str, Any]:
    attributes: dict[str, str] = {} if group is None else {"MessageGroupId": group}
    return {
        "messageId": str(number),
        "body": str(number),
        "attributes": attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
    }


def fifo(number: int, group: str) -> dict[str, Any]:
    return sqs(number, group, arn=f"{QUEUE}.fifo")


def kinesis(number: int) -> dict[str, Any]:
    return {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": str(number), "partitionKey": "key", "data": ""}}


def dynamodb(number: int) -> dict[str, Any]:
    return {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": str(number), "Keys": {}}}


def number_of(record: dict[str, Any]) -> int:
    identifier = record.get("messageId")
    identifier = identifier or record.get("kinesis", {}).get("sequenceNumber") or record["dynamodb"]["SequenceNumber"]
    return int(identifier)


def run(records: list[dict[str, Any]], failing: set[int], context: Any = None) -> tuple[list[int], list[int]]:
    """Return which records the function saw, and which the batch reports."""
    seen = []

    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> None:
        seen.append(number_of(record))
        if number_of(record) in failing:
            raise RuntimeError("poison")

    response = handler({"Records": records}, context)
    assert list(response) == ["batchItemFailures"]
    return seen, [int(item["itemIdentifier"]) for item in response["batchItemFailures"]]


@given(st.integers(0, 30), st.sets(st.integers(0, 29)))
def test_a_standard_queue_reports_exactly_what_failed(count: int, failing: set[int]) -> None:
    seen, reported = run([sqs(number) for number in range(count)], failing)
    assert seen == list(range(count))
    assert reported == sorted(failing & set(range(count)))


def test_a_standard_queue_with_fair_groups_is_no_fifo() -> None:
    seen, reported = run([sqs(0, "a"), sqs(1, "a")], {0})
    assert seen == [0, 1]
    assert reported == [0]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.sets(st.integers(0, 29)))
def test_fifo_keeps_the_order_of_each_group(groups: list[str], failing: set[int]) -> None:
    seen, reported = run([fifo(number, group) for number, group in enumerate(groups)], failing)
    for group in set(groups):
        members = [number for number, of in enumerate(groups) if of == group]
        first = next((place for place, number in enumerate(members) if number in failing), len(members))
        assert [number for number in seen if number in members] == members[: first + 1]
        assert [number for number in reported if number in members] == members[first:]


@pytest.mark.parametrize("record", [kinesis, dynamodb])
@given(count=st.integers(0, 30), failing=st.sets(st.integers(0, 29)))
def test_a_stream_ends_at_its_first_failure(record: Any, count: int, failing: set[int]) -> None:
    records = [record(number) for number in range(count)]
    first = min(failing & set(range(count)), default=None)
    if first == 0 and count > 1:
        with pytest.raises(FirstRecordFailedError, match=r"^0$"):
            run(records, failing)
        return
    seen, reported = run(records, failing)
    assert seen == list(range(count if first is None else first + 1))
    assert reported == ([] if first is None else [first])


@pytest.mark.parametrize(
    ("records", "reported"),
    [
        ([sqs(0), sqs(1)], [0, 1]),
        ([fifo(0, "a"), fifo(1, "b")], [0, 1]),
        ([kinesis(0)], [0]),
        ([dynamodb(0)], [0]),
    ],
)
def test_without_time_nothing_is_begun(records: list[dict[str, Any]], reported: list[int]) -> None:
    assert run(records, set(), Context(0.1)) == ([], reported)


def test_what_would_not_finish_is_not_begun(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> None:
        seen.append(number_of(record))
        clock.sleep(0.4)

    # 1.5 s less the margin of 0.5 s hold two such records; a third would end after the deadline.
    response = handler({"Records": [sqs(number) for number in range(20)]}, Context(1.5, clock))
    assert seen == [0, 1]
    assert [int(item["itemIdentifier"]) for item in response["batchItemFailures"]] == list(range(2, 20))
    assert [entry.getMessage() for entry in caplog.records] == ["Out of time: 18 of 20 records come again."]


@pytest.mark.parametrize("record", [kinesis, dynamodb])
def test_a_streams_batch_of_which_little_fits_is_split_by_an_error(clock: Clock, record: Any) -> None:
    seen = []

    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> None:
        seen.append(number_of(record))
        clock.sleep(0.4)

    records = [record(number) for number in range(20)]
    with pytest.raises(OutOfTimeError, match="2 of 20 records fitted"):
        handler({"Records": records}, Context(1.5, clock))
    assert seen == [0, 1]
    # now it knows, and begins nothing that would have to be done again
    with pytest.raises(OutOfTimeError, match=r"20 records of about 0\.4 s each"):
        handler({"Records": records}, Context(1.5, clock))
    assert seen == [0, 1]
    # at least half of it is done: Lambda comes back to the rest, and nothing is done again
    assert handler({"Records": records[:4]}, Context(1.5, clock)) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert seen == [0, 1, 0, 1]


def test_a_message_that_came_more_often_is_begun_first() -> None:
    messages = [sqs(number) for number in range(4)]
    for message, receives in zip(messages, (1, 3, 1, 2), strict=True):
        message["attributes"]["ApproximateReceiveCount"] = str(receives)
    assert run(messages, set())[0] == [1, 3, 0, 2]
    ordered = [fifo(number, "a") for number in range(2)]
    ordered[1]["attributes"]["ApproximateReceiveCount"] = "3"
    assert run(ordered, set())[0] == [0, 1]


def told(event: dict[str, Any], result: Any) -> dict[str, Any]:
    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> object:
        if isinstance(result, Exception):
            raise result
        return result

    return handler(event, None)


@pytest.mark.parametrize("signal", [breakwater.RetryAfter(30), breakwater.QuotaSpent(60)])
def test_a_signal_of_one_record_reaches_its_quota(signal: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(type(signal)) as raised:
        told(quota_event({}), signal)
    assert raised.value is signal
    assert not caplog.messages, "it has not failed"
    two = told({"Records": [sqs(0), sqs(1)]}, signal)
    assert len(two["batchItemFailures"]) == 2, "no quota has sent them"
    assert str(signal) in caplog.text


def test_what_one_record_tells_its_quota_is_returned() -> None:
    said = breakwater.used(812) | breakwater.rate_limit({"X-RateLimit-Remaining": "7"})
    assert told(quota_event({}), said | {"secret": 1}) == {"batchItemFailures": [], **said}
    assert told({"Records": [sqs(0), sqs(1)]}, said) == {"batchItemFailures": []}


async def asynchronous(record: dict[str, Any], context: Any) -> None:
    raise AssertionError("never awaited")


def generator(record: dict[str, Any], context: Any) -> Iterator[int]:
    yield 1


async def asynchronous_generator(record: dict[str, Any], context: Any) -> AsyncIterator[int]:
    yield 1


class Asynchronous:
    async def __call__(self, record: dict[str, Any], context: Any) -> None:
        raise AssertionError("never awaited")

    handle = __call__


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (asynchronous, "an async function"),
        (partial(asynchronous, context=None), "an async function"),
        (Asynchronous(), "an async function"),
        (Asynchronous().handle, "an async function"),
        (generator, "a generator"),
        (asynchronous_generator, "an async generator"),
    ],
)
def test_what_would_do_nothing_when_called_is_refused(function: Any, kind: str) -> None:
    with pytest.raises(breakwater.ConfigurationError, match=f"batch was given .*, which is {kind}: its call does noth"):
        breakwater.batch(function)
    with pytest.raises(breakwater.ConfigurationError, match=rf"batch\(idempotency=…\) was given .*, which is {kind}"):
        breakwater.batch(print, idempotency=function)


@pytest.mark.parametrize("function", [asynchronous, generator, asynchronous_generator])
def test_a_function_that_returns_undone_work_fails_its_record(function: Any, caplog: pytest.LogCaptureFixture) -> None:
    handler = breakwater.batch(lambda *call: function(*call))  # noqa: PLW0108 -- what it is can't be seen from outside
    assert handler({"Records": [sqs(3)]}, None) == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    assert "of which nothing ran. Give it a function that does the work" in caplog.text


def test_with_time_everything_is_done() -> None:
    assert run([sqs(number) for number in range(100)], set(), Context(60)) == (list(range(100)), [])


def test_the_log_says_what_failed_and_where(caplog: pytest.LogCaptureFixture) -> None:
    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> None:
        raise KeyError("no such product")

    handler({"Records": [sqs(7)]}, None)
    (entry,) = caplog.records
    assert entry.levelno == logging.ERROR
    assert entry.getMessage() == "Record 7 failed: KeyError: 'no such product'"
    assert f'File "{__file__}"' in caplog.text
    assert "raise KeyError" in caplog.text


def test_an_exit_is_no_failed_record() -> None:
    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> None:
        sys.exit(1)

    with pytest.raises(SystemExit):
        handler({"Records": [sqs(0)]}, None)


@pytest.mark.parametrize("event", [{}, {"Records": {}}, [], None])
def test_what_is_no_batch(event: Any) -> None:
    with pytest.raises(TypeError, match="batch needs an event with Records"):
        breakwater.batch(print)(event, None)


def test_another_source() -> None:
    event = {"Records": [{"eventSource": "aws:s3"}]}
    with pytest.raises(ValueError, match=r"batch knows .* \(given eventSource='aws:s3'\)"):
        breakwater.batch(print)(event, None)


def test_it_loads_no_driver() -> None:
    code = "import sys, breakwater_runtime; breakwater_runtime.batch; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    ours = {name for name in loaded if name.startswith("breakwater_runtime.")}
    assert ours == {f"breakwater_runtime.{module}" for module in ("_plain", "batches", "deadline", "errors")}
    assert not {"inspect", "asyncio", "botocore"} & set(loaded)
