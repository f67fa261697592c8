"""Failed records go to the function again, and nothing of them is lost on the way."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.stub import ANY

from cdk_breakwater import BreakwaterError
from cdk_breakwater.cli.redrive import find_failures
from cdk_breakwater.cli.redrive_failed_records import FailedRecords
from cdk_breakwater.simulation.invocation import Outcome
from tests.unit.simulation.virtual_function import VirtualFunction

from .account import ARN, FUNCTION, MAPPING, UUID, Account, compact, kept


def record(number: int, kind: str = "kinesis") -> dict[str, Any]:
    if kind == "kinesis":
        return {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": str(number), "data": "YQ=="}}
    return {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": str(number)}}


def failure(number: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)}]}


FINE: dict[str, Any] = {"batchItemFailures": []}


class TestStreams:
    def test_they_are_found_by_way_of_the_mapping(self, account: Account) -> None:
        account.stack("Shop", {"Mapping": (MAPPING, UUID, "Shop/Clicks/Mapping")})
        account.stub("lambda").add_response(
            "get_event_source_mapping",
            {"FunctionArn": FUNCTION, "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::kept"}}},
            {"UUID": UUID},
        )
        contents = [
            {"Key": f"aws/lambda/{UUID}/{name}", "LastModified": datetime(2026, 11, day, tzinfo=timezone.utc)}
            for name, day in (("new", 20), ("old", 2))
        ]
        account.stub("s3").add_response(
            "list_objects_v2", {"Contents": contents}, {"Bucket": "kept", "Prefix": f"aws/lambda/{UUID}/"}
        )
        (found,) = find_failures("Shop", account)
        assert isinstance(found, FailedRecords)
        assert found.keys == (f"aws/lambda/{UUID}/old", f"aws/lambda/{UUID}/new")
        assert (found.waiting, found.kept_in, found.goes_to, found.state) == (2, "kept", "Counter", "")

    @pytest.mark.parametrize("destination", [None, f"{ARN}:pointers"])
    def test_pointers_are_not_records(self, account: Account, destination: str | None) -> None:
        account.stack("Shop", {"Mapping": (MAPPING, UUID, "Shop/Clicks/Mapping")})
        config = {"DestinationConfig": {"OnFailure": {"Destination": destination}}} if destination else {}
        account.stub("lambda").add_response(
            "get_event_source_mapping", {"FunctionArn": FUNCTION, **config}, {"UUID": UUID}
        )
        with pytest.raises(BreakwaterError, match="no bucket of failed records"):
            find_failures("Shop", account)

    @pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
    @pytest.mark.parametrize("as_text", [True, False])
    def test_a_batch_that_succeeds_is_deleted(self, account: Account, kind: str, as_text: bool) -> None:
        records = [record(number, kind) for number in (1, 2)]
        event = {"Records": records}
        account.object("a", json.dumps(event) if as_text else event)
        account.invocation(records, None)
        account.stub("s3").add_response("delete_object", {}, {"Bucket": "kept", "Key": "a"})
        assert kept("a").redrive(account) == "2 done"

    def test_behind_a_failure_all_are_given_again_and_it_alone_stays(self, account: Account) -> None:
        records = [record(number) for number in range(5)]
        account.object("a", {"Records": records})
        account.invocation(records, failure(1))
        account.invocation(records[1:], failure(1))
        account.invocation(records[2:], failure(3))
        account.invocation(records[3:], failure(3))
        account.invocation(records[4:], FINE)
        account.stub("s3").add_response(
            "put_object",
            {},
            {
                "Bucket": "kept",
                "Key": "a",
                "Body": compact({"payload": compact({"Records": [records[1], records[3]]}).decode()}),
            },
        )
        assert kept("a").redrive(account) == "3 done, 2 failed again"

    def test_a_batch_that_fails_whole_is_halved_until_the_bad_one_is_alone(self, account: Account) -> None:
        records = [record(number) for number in range(4)]
        account.object("a", {"Records": records})
        account.invocation(records, {}, error=True)
        account.invocation(records[:2], FINE)
        account.invocation(records[2:], {}, error=True)
        account.invocation(records[2:3], FINE)
        account.invocation(records[3:], {}, error=True)
        account.stub("s3").add_response("put_object", {}, {"Bucket": "kept", "Key": "a", "Body": ANY})
        assert kept("a").redrive(account) == "3 done, 1 failed again"

    @pytest.mark.parametrize("identifier", [{}, {"itemIdentifier": ""}, {"itemIdentifier": None}])
    def test_an_answer_that_lambda_takes_for_a_failure_deletes_nothing(
        self, account: Account, identifier: dict[str, Any]
    ) -> None:
        account.object("a", {"Records": [record(1)]})
        account.invocation([record(1)], {"batchItemFailures": [identifier]})
        assert kept("a").redrive(account) == "0 done, 1 failed again"

    def test_one_object_after_the_other(self, account: Account) -> None:
        for key, number in (("a", 1), ("b", 2)):
            account.object(key, {"Records": [record(number)]})
            account.invocation([record(number)], FINE if key == "b" else failure(number))
        account.stub("s3").add_response("delete_object", {}, {"Bucket": "kept", "Key": "b"})
        assert kept("a", "b").redrive(account) == "1 done, 1 failed again"

    def test_a_throttled_function_is_waited_for(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cdk_breakwater.cli.redrive_failed_records._PAUSE_SECONDS", 0)
        account.object("a", {"Records": [record(1)]})
        for _ in range(3):
            account.stub("lambda").add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
        account.invocation([record(1)], FINE)
        account.stub("s3").add_response("delete_object", {}, {"Bucket": "kept", "Key": "a"})
        assert kept("a").redrive(account) == "1 done"

    def test_but_not_for_good(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cdk_breakwater.cli.redrive_failed_records._PATIENCE_SECONDS", -1)
        account.object("a", {"Records": [record(1)]})
        account.stub("lambda").add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
        with pytest.raises(BreakwaterError, match=r"it is throttled for -1 s.*reserved concurrency is 0"):
            kept("a").redrive(account)


class Given:
    """A client of Lambda that gives records to the real `batch`, in virtual time."""

    class exceptions:  # noqa: N801 -- botocore's name
        class TooManyRequestsException(Exception):  # noqa: N818 -- botocore's name
            pass

    def __init__(self, function: Callable[[list[int]], Outcome]) -> None:
        self._function = function
        self.largest = 0
        self.calls = 0

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 -- botocore's names
        self.largest = max(self.largest, len(Payload))
        self.calls += 1
        records = json.loads(Payload)["Records"]
        outcome = self._function([int(record["kinesis"]["sequenceNumber"]) for record in records])
        if outcome.error:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}
        failures = [{"itemIdentifier": str(number)} for number in outcome.failed]
        return {"Payload": io.BytesIO(json.dumps({"batchItemFailures": failures}).encode())}


def redriven(account: Account, functions: Given, records: list[dict[str, Any]]) -> str:
    account.object("a", {"Records": records})
    account.stub("s3").add_response("delete_object", {}, {"Bucket": "kept", "Key": "a"})
    return kept("a").redrive(lambda service: functions if service == "lambda" else account(service))


def test_good_records_that_take_long_are_done_in_order(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 records of 5 s and a timeout of 30 s: five at a time can be done."""
    worker = VirtualFunction(monkeypatch, lambda _: 5, 30, stream=True)
    assert redriven(account, Given(worker), [record(number) for number in range(100)]) == "100 done"
    in_order, repeated = once(worker.done)
    assert in_order == list(range(100))
    assert repeated <= 5  # before the handler knows how long a record takes


def once(done: list[int]) -> tuple[list[int], int]:
    """Return the records in the order in which each was done first, and how many were done again."""
    first = list(dict.fromkeys(done))
    return first, len(done) - len(first)


def test_a_bad_record_among_them_is_the_only_one_called_failed(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = VirtualFunction(monkeypatch, lambda _: 5, 30, stream=True, fails={17, 18, 40}.__contains__)
    account.object("a", {"Records": [record(number) for number in range(100)]})
    account.stub("s3").add_response("put_object", {}, {"Bucket": "kept", "Key": "a", "Body": ANY})
    functions = Given(worker)
    result = kept("a").redrive(lambda service: functions if service == "lambda" else account(service))
    assert result == "97 done, 3 failed again"
    in_order, repeated = once(worker.done)
    assert in_order == [number for number in range(100) if number not in {17, 18, 40}]
    assert repeated <= 5


@pytest.mark.parametrize("text", ["ü", "注", "\U0001f600"])
def test_no_invocation_is_given_more_than_lambda_takes(
    account: Account, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    worker = VirtualFunction(monkeypatch, lambda _: 0.001, 30, stream=True)
    functions = Given(worker)
    # What Lambda itself took in one invocation, and what it never would.
    for total, calls in ((5_900_000, 1), (13_000_000, 1 + 4)):
        size = total // 100 // len(text.encode())
        records = [record(number) for number in range(100)]
        for each in records:
            each["kinesis"]["partitionKey"] = text * size
        assert redriven(account, functions, records) == "100 done"
        assert functions.largest <= 6 * 1024 * 1024
        assert functions.calls == calls
    assert worker.done == [*range(100), *range(100)]


def test_a_record_that_no_invocation_takes_stays_and_ends_nothing(account: Account) -> None:
    large = record(1)
    large["kinesis"]["data"] = "A" * (6 * 1024 * 1024)
    account.object("a", {"Records": [record(0), large, record(2)]})
    account.invocation([record(0)], FINE)
    account.invocation([record(2)], FINE)
    account.stub("s3").add_response("put_object", {}, {"Bucket": "kept", "Key": "a", "Body": ANY})
    assert kept("a").redrive(account) == "2 done, 1 failed again"
