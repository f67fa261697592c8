"""Each job is done once, and what came of it is kept: against an emulated DynamoDB and S3."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from base64 import b64encode
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from demo.emulator import CREDENTIALS, REGION, Emulator

import breakwater_runtime as breakwater
from breakwater_runtime import _aws, results
from breakwater_runtime.deadline import Deadline
from tests.runtime.waiting import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE, BUCKET = "results", "results-bucket"


class Context:
    def __init__(self, seconds: float = 10.0) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("account")) as account:
        account.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "job", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "job", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        account.client("s3").create_bucket(Bucket=BUCKET)
        yield account


@pytest.fixture(autouse=True)
def settings(account: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    _aws.client.cache_clear()
    for name, value in {
        "AWS_ENDPOINT_URL": account.url,
        "AWS_REGION": REGION,
        **{name.upper(): value for name, value in CREDENTIALS.items()},
        "BREAKWATER_RESULTS_TABLE": TABLE,
        "BREAKWATER_RESULTS_BUCKET": BUCKET,
        "BREAKWATER_RESULTS_SECONDS": "60",
    }.items():
        monkeypatch.setenv(name, value)
    yield
    _aws.client.cache_clear()


def item(account: Emulator, job: str) -> dict[str, Any]:
    return account.client("dynamodb").get_item(TableName=TABLE, Key={"job": {"S": job}}, ConsistentRead=True)["Item"]


def sqs(job: str | None, body: str = "{}") -> dict[str, Any]:
    return {
        "messageId": str(uuid4()),
        "body": body,
        "attributes": {},
        "messageAttributes": {"breakwater-job": {"dataType": "String", "stringValue": job}} if job else {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:jobs",
    }


def kinesis(job: str, body: bytes) -> dict[str, Any]:
    data = b64encode(f"breakwater-job {job} ".encode() + body).decode()
    return {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "1", "partitionKey": "key", "data": data}}


def dynamodb(job: str, event: str = "INSERT") -> dict[str, Any]:
    image = {"id": {"S": job}, "breakwater-job": {"S": job}, "body": {"B": "e30="}}
    return {
        "eventSource": "aws:dynamodb",
        "eventName": event,
        "dynamodb": {"SequenceNumber": "1", "Keys": {}, "NewImage": image},
    }


def failures(handler: Any, *records: dict[str, Any], context: Any = None) -> int:
    return len(handler({"Records": list(records)}, context or Context())["batchItemFailures"])


@pytest.mark.parametrize("record", [sqs, partial(kinesis, body=b"{}"), dynamodb], ids=["sqs", "kinesis", "dynamodb"])
def test_what_the_function_returns_is_the_answer(account: Emulator, record: Any) -> None:
    job = str(uuid4())
    calls: list[Any] = []

    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> object:
        calls.append(record)
        return {"total": Decimal("1.50"), "name": "Größe"}

    before = int(time.time())
    assert failures(handler, record(job)) == 0
    assert failures(handler, record(job)) == 0
    assert len(calls) == 1, "a repeated record is the same job"
    stored = item(account, job)
    assert stored["outcome"]["S"] == "done"
    assert json.loads(stored["answer"]["S"]) == {"total": "1.50", "name": "Größe"}
    assert 60 <= int(stored["expires"]["N"]) - before <= 120
    assert int(stored["delete_after"]["N"]) - int(stored["expires"]["N"]) == 60


def test_a_kinesis_record_comes_as_its_sender_meant_it() -> None:
    seen: list[str] = []
    handler = breakwater.batch(lambda record, _: seen.append(record["kinesis"]["data"]))
    body = '{"quote": "\\"", "space": " ", "ü": "&+%"}'.encode()
    failures(handler, kinesis(str(uuid4()), body))
    assert seen == [b64encode(body).decode()]


def test_a_record_from_elsewhere_is_no_job(account: Emulator) -> None:
    before = account.client("dynamodb").scan(TableName=TABLE)["Count"]
    calls: list[Any] = []
    handler = breakwater.batch(lambda record, _: calls.append(record))
    plain = {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "1", "data": b64encode(b"plain").decode()}}
    for record in (sqs(None), plain, dynamodb("deleted", "REMOVE"), dynamodb("changed", "MODIFY")):
        assert failures(handler, record) == 0
    assert len(calls) == 4
    assert account.client("dynamodb").scan(TableName=TABLE)["Count"] == before


def test_a_large_answer_goes_to_the_bucket(account: Emulator) -> None:
    job, answer = str(uuid4()), "ü" * 200_000
    assert failures(breakwater.batch(lambda *_: answer), sqs(job)) == 0
    stored = item(account, job)
    assert "answer" not in stored
    kept = account.client("s3").get_object(Bucket=BUCKET, Key=stored["answer_key"]["S"])
    assert json.loads(kept["Body"].read()) == answer


class Unwritable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    ("answer", "why"),
    [(CIRCULAR, "ValueError"), ({(1, 2): 3}, "TypeError"), (Unwritable(), "RuntimeError"), ("x" * 400_000, "Config")],
    ids=["circular", "key", "unwritable", "large"],
)
def test_an_answer_that_cannot_be_stored_does_not_undo_the_job(
    account: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: object, why: str
) -> None:
    monkeypatch.delenv("BREAKWATER_RESULTS_BUCKET")
    job, calls = str(uuid4()), list[Any]()

    def work(record: dict[str, Any], context: Any) -> object:
        calls.append(record)
        return answer

    handler = breakwater.batch(work)
    assert failures(handler, sqs(job)) == failures(handler, sqs(job)) == 0
    assert len(calls) == 1
    stored = item(account, job)
    assert (stored["outcome"]["S"], "answer" in stored) == ("done", False)
    assert stored["reason"]["S"].startswith(f"The job is done, but its answer could not be stored: {why}")
    assert f"Job {job} is done, but its answer could not be stored" in caplog.text


@pytest.mark.parametrize(
    ("answer", "stored"),
    [
        ({"mean": float("nan"), "max": float("inf"), "n": 1.5}, {"mean": None, "max": None, "n": 1.5}),
        ("half \ud83d pair", "half ? pair"),
    ],
)
def test_what_json_does_not_know(account: Emulator, answer: object, stored: object) -> None:
    job = str(uuid4())
    assert failures(breakwater.batch(lambda *_: answer), sqs(job)) == 0
    assert json.loads(item(account, job)["answer"]["S"], parse_constant=pytest.fail) == stored


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (None, "None"),
        ({"code": 7}, "{'code': 7}"),
        ("x" * 500_000, "x" * 2_000),
        ("\ud800", "?"),
    ],
    ids=["none", "dict", "long", "surrogate"],
)
def test_a_reason_of_any_kind_is_told(account: Emulator, reason: object, told: str) -> None:
    job = str(uuid4())

    def work(record: dict[str, Any], context: Any) -> None:
        raise breakwater.JobFailed(reason)

    assert failures(breakwater.batch(work), sqs(job)) == 1
    stored = item(account, job)
    assert (stored["outcome"]["S"], stored["reason"]["S"]) == ("waiting", told)


def test_a_failure_leaves_its_type_and_a_later_try_may_succeed(account: Emulator) -> None:
    job = str(uuid4())
    outcomes: list[Exception | str] = [KeyError("card number"), breakwater.JobFailed("the card was declined"), "ok"]

    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> object:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    for reason in ("KeyError", "the card was declined"):
        assert failures(handler, sqs(job)) == 1
        stored = item(account, job)
        assert (stored["outcome"]["S"], stored["reason"]["S"]) == ("waiting", reason)
    assert failures(handler, sqs(job)) == 0
    stored = item(account, job)
    assert (stored["outcome"]["S"], "reason" in stored) == ("done", False)


def test_a_dead_lettered_job_that_is_sent_again_may_succeed(account: Emulator) -> None:
    job = str(uuid4())
    failed = {"job": {"S": job}, "outcome": {"S": "failed"}, "reason": {"S": "KeyError"}, "expires": {"N": "1"}}
    account.client("dynamodb").put_item(TableName=TABLE, Item=failed)
    assert failures(breakwater.batch(lambda *_: "ok"), sqs(job)) == 0
    stored = item(account, job)
    assert (stored["outcome"]["S"], "reason" in stored) == ("done", False)


def test_two_invocations_never_work_on_one_job(account: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    job = str(uuid4())
    calls: list[Any] = []

    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> None:
        calls.append(record)
        if len(calls) == 1:
            assert failures(handler, record, context=context) == 1, "the other one comes again"

    assert failures(handler, sqs(job)) == 0
    assert len(calls) == 1
    assert "JobBusy" in caplog.text


@pytest.mark.parametrize(("record", "again"), [(sqs, 1), (partial(kinesis, body=b"{}"), 0), (dynamodb, 0)])
def test_after_an_invocation_that_died_a_stream_goes_on_and_a_queue_waits_for_its_end(record: Any, again: int) -> None:
    job = str(uuid4())

    def die(*_: object) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        breakwater.batch(die)({"Records": [record(job)]}, Context(2))
    calls: list[Any] = []
    handler = breakwater.batch(lambda record, _: calls.append(record))
    assert failures(handler, record(job)) == again
    time.sleep(4.1 * again)
    assert failures(handler, record(job)) == 0
    assert len(calls) == 1


def test_who_fails_late_takes_no_answer_back(account: Emulator) -> None:
    job = str(uuid4())

    @breakwater.batch
    def handler(record: dict[str, Any], context: Any) -> None:
        results.Results(TABLE, 60, None).done(job, "of the other", Deadline(context))
        raise KeyError

    assert failures(handler, sqs(job)) == 1
    assert item(account, job)["answer"]["S"] == '"of the other"'


def test_a_key_may_be_used_anew_when_its_answer_has_expired(account: Emulator) -> None:
    job = str(uuid4())
    table, deadline = results.Results(TABLE, 60, None), Deadline(Context())
    assert table.claim(job, "one", 10, deadline)
    results.Results(TABLE, -5, None).done(job, 1, deadline)
    assert table.claim(job, "other", 10, deadline)
    assert not {"answer", "expires"} & item(account, job).keys()


def test_a_claim_is_its_owners() -> None:
    job, table, deadline = str(uuid4()), results.Results(TABLE, 60, None), Deadline(Context())
    assert table.claim(job, "one", 10, deadline)
    # its answer was lost, so it is sent again
    assert table.claim(job, "one", 10, deadline)
    with pytest.raises(breakwater.JobBusy):
        table.claim(job, "other", 10, deadline)
    table.failed(job, "other", KeyError(), deadline)
    with pytest.raises(breakwater.JobBusy):
        table.claim(job, "other", 10, deadline)
    table.failed(job, "one", KeyError(), deadline)
    assert table.claim(job, "other", 10, deadline)


@pytest.mark.parametrize("source", ["kinesis", "dynamodb"])
def test_two_shards_with_one_key_at_once_do_it_once(source: str) -> None:
    """The second waits for the first, since a stream would spend its retries within seconds."""
    key, running, calls = str(uuid4()), threading.Event(), list[str]()

    def change(shard: str) -> dict[str, Any]:
        of_shard = {
            "kinesis": {
                "eventID": f"shardId-00000000000{shard}:49",
                "kinesis": {"sequenceNumber": shard, "partitionKey": "key", "data": ""},
            },
            "dynamodb": {"dynamodb": {"SequenceNumber": shard, "Keys": {"id": {"S": shard}}}},
        }[source]
        return {"eventSource": f"aws:{source}", "eventSourceARN": "arn:aws:stream", **of_shard}

    def work(record: dict[str, Any], context: Any) -> None:
        calls.append(record["eventSource"])
        running.set()
        time.sleep(1)

    handler = breakwater.batch(work, idempotency=lambda _: key)
    first = threading.Thread(target=failures, args=(handler, change("1")))
    first.start()
    assert running.wait(10)
    assert failures(handler, change("2")) == 0
    first.join()
    assert len(calls) == 1


def test_a_table_that_does_not_answer_costs_no_more_than_the_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        _aws.client.cache_clear()
        handler = breakwater.batch(lambda *_: pytest.fail("it may be done already"), idempotency=True)
        watch = Stopwatch()
        assert failures(handler, sqs(None), context=Context(4)) == 1
        assert watch.seconds <= 3.7
    assert re.search(r"table results at http://127\.0\.0\.1:\d+: no .* after \d attempts? in \d\.\d s", caplog.text)


@pytest.mark.parametrize("asked", [False, True], ids=["record", "front door"])
def test_work_that_cannot_be_noted_is_done_unless_somebody_waits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, asked: bool
) -> None:
    def gone(*_: object) -> None:
        raise ConnectionError("no table")

    monkeypatch.setattr(results.Results, "done", gone)
    handler = breakwater.batch(lambda *_: None, idempotency=True)
    assert failures(handler, sqs(str(uuid4()) if asked else None)) == int(asked)
    assert "no table" in caplog.text


class TestIdempotency:
    def test_by_the_records_id(self) -> None:
        calls: list[Any] = []

        @breakwater.batch(idempotency=True)
        def handler(record: dict[str, Any], context: Any) -> None:
            calls.append(record)

        first, second = sqs(None), sqs(None)
        assert failures(handler, first, second, first) == 0
        assert failures(handler, second) == 0
        assert calls == [first, second]

    def change(self, stream: str) -> dict[str, Any]:
        source = {"eventSource": "aws:dynamodb", "eventSourceARN": stream, "eventName": "MODIFY"}
        return {**source, "dynamodb": {"SequenceNumber": "100"}}

    def test_records_of_two_streams_may_have_the_same_number(self) -> None:
        calls: list[Any] = []
        handler = breakwater.batch(lambda record, _: calls.append(record["eventSourceARN"]), idempotency=True)
        table, other = (self.change(f"arn:aws:dynamodb:us-east-1:123456789012:table/{uuid4()}/stream/1") for _ in "ab")
        assert failures(handler, table) == failures(handler, other) == failures(handler, table) == 0
        assert calls == [table["eventSourceARN"], other["eventSourceARN"]]

    def test_by_a_key_of_ones_own(self) -> None:
        calls: list[Any] = []
        run = str(uuid4())

        def key(record: dict[str, Any]) -> str | None:
            order = json.loads(record["body"]).get("order")
            return order and f"{run}-{order}"

        handler = breakwater.batch(lambda record, _: calls.append(record["body"]), idempotency=key)
        bodies = ['{"order": 1, "try": 1}', '{"order": 1, "try": 2}', "{}", "{}"]
        assert failures(handler, *(sqs(None, body) for body in bodies)) == 0
        assert calls == [bodies[0], "{}", "{}"]

    @pytest.mark.parametrize("key", ["", 0.5, True, {"a": 1}, b"x"])
    def test_a_key_that_is_none_is_said(self, caplog: pytest.LogCaptureFixture, key: Any) -> None:
        """An empty one would make all messages one, and all but the first would be dropped."""
        handler = breakwater.batch(lambda *_: pytest.fail("its key is none"), idempotency=lambda _: key)
        assert failures(handler, sqs(None), sqs(None)) == 2
        assert f"batch(idempotency=…) gave {key!r} for record" in caplog.text

    @pytest.mark.parametrize("long", ["ü" * 3_000, "half \ud83d pair", 7], ids=["long", "surrogate", "number"])
    def test_a_key_of_any_length(self, long: str | int) -> None:
        run, calls = f"{uuid4()} ", list[Any]()
        keys = iter([f"{run}{long}", f"{run}{long}", f"{run}{long}!"])
        handler = breakwater.batch(lambda record, _: calls.append(record), idempotency=lambda _: next(keys))
        assert failures(handler, sqs(None), sqs(None), sqs(None)) == 0
        assert len(calls) == 2

    def test_needs_a_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("BREAKWATER_RESULTS_TABLE")
        with pytest.raises(breakwater.ConfigurationError, match="needs a table, and BREAKWATER_RESULTS_TABLE names"):
            breakwater.batch(print, idempotency=True)


def test_a_wrong_number_of_seconds_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_RESULTS_SECONDS", "soon")
    with pytest.raises(breakwater.ConfigurationError, match=r"BREAKWATER_RESULTS_SECONDS is 'soon'\. It is a number"):
        breakwater.batch(print)
