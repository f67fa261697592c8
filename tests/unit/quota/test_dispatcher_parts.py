"""The dispatcher's parts at their edges: what SQS, DynamoDB and Lambda answer rarely."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aws_cdk import Duration
from botocore.exceptions import ClientError, ReadTimeoutError

from breakwater_runtime.quota_signals import QuotaSpent, RetryAfter
from cdk_breakwater.quota.tier import QuotaTier
from handlers.quota_dispatcher.backlog import OLD, Backlog
from handlers.quota_dispatcher.call import Verdict, call, judge
from handlers.quota_dispatcher.intake import file
from handlers.quota_dispatcher.settings import Settings, time_zone
from handlers.quota_dispatcher.store import QuotaStore

NOW = 1_800_000_000_000


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "name": "Crm",
        "table": "table",
        "function": "function",
        "queue_arns": {"arn:queue": ["one", "two"], "arn:priority": ["first"]},
        "lanes": ["first", "one", "two"],
        "priority": True,
        "dead_letters": "dead",
        "doorbell": "doorbell",
        "ordered": False,
        "parallelism": 10,
        "longest_call": 18_000,
        "max_attempts": 5,
        "tiers": [{"limit": 10, "period": 1_000}],
    }
    return Settings(**values | changes)


def refusal(code: str, status: int, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(answer, "Operation")


class Queues:
    """Queues in memory that answer as SQS does."""

    def __init__(self, messages: dict[str, list[tuple[str, int]]], refused: int | None = None) -> None:
        self.messages = messages
        self.sent: list[tuple[str, str]] = []
        self.deleted: list[str] = []
        self.returned: list[str] = []
        self.refused = refused

    def receive_message(self, **request: Any) -> dict[str, Any]:
        lane = self.messages[request["QueueUrl"]]
        taken, lane[:] = lane[: request["MaxNumberOfMessages"]], lane[request["MaxNumberOfMessages"] :]
        messages = [
            {"MessageId": body, "Body": body, "ReceiptHandle": body, "Attributes": {"SentTimestamp": str(sent)}}
            for body, sent in taken
        ]
        return {"Messages": messages} if messages else {}

    def send_message(self, **request: Any) -> None:
        if self.refused == len(self.sent):
            raise refusal("ServiceUnavailable", 503)
        self.sent.append((request["QueueUrl"], request["MessageBody"]))

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        self.sent += [(request["QueueUrl"], entry["MessageBody"]) for entry in entries[1:]]
        return {"Failed": [{"Id": entries[0]["Id"]}]}

    def delete_message(self, **request: Any) -> None:
        self.deleted.append(request["ReceiptHandle"])

    def change_message_visibility(self, **request: Any) -> None:
        self.returned.append(request["ReceiptHandle"])


def test_lanes_share_round_robin_after_the_priority_lane() -> None:
    many = [(f"tenant {number}", NOW) for number in range(100)]
    queues = Queues({"first": [("urgent", NOW)], "one": list(many), "two": [("lonely", NOW), ("alone", NOW)]})
    backlog = Backlog(queues, settings(), 30)
    assert [message.content["Body"] for message in backlog.receive(5, NOW, wait=False)] == [
        "urgent",
        "tenant 0",
        "tenant 1",
        "lonely",
        "alone",
    ]


def test_old_messages_are_sent_anew_and_young_ones_stay() -> None:
    old, young = NOW - OLD - 1, NOW - 1
    queues = Queues({"first": [], "one": [*((f"old {n}", old) for n in range(12)), ("young", young)], "two": []})
    assert Backlog(queues, settings(), 30).renew(NOW, lambda: False) == 12
    assert queues.sent == [("one", f"old {n}") for n in range(12)]
    assert queues.deleted == [f"old {n}" for n in range(12)]
    assert queues.returned == ["young"]
    assert Backlog(Queues({"one": [("old", old)]}), settings(ordered=True), 30).renew(NOW, lambda: False) == 0


def record(number: int, group: str, arn: str = "arn:queue") -> dict[str, Any]:
    attributes = {"MessageGroupId": group}
    return {"messageId": f"id {number}", "body": f"{group} {number}", "attributes": attributes, "eventSourceARN": arn}


def test_the_intake_keeps_a_group_in_one_lane_and_reports_what_was_refused() -> None:
    queues = Queues({})
    failed = file(queues, settings(), [record(number, "tenant") for number in range(4)])
    assert failed == ["id 0"]
    assert len({lane for lane, _ in queues.sent}) == 1
    assert [body for _, body in queues.sent] == ["tenant 1", "tenant 2", "tenant 3"]
    file(queues, settings(), [record(7, "tenant", "arn:priority"), record(8, "tenant", "arn:priority")])
    assert queues.sent[-1] == ("first", "tenant 8")


def test_in_order_nothing_overtakes_a_message_that_was_refused() -> None:
    queues = Queues({}, refused=2)
    failed = file(queues, settings(ordered=True), [record(number, "tenant") for number in range(5)])
    assert [body for _, body in queues.sent] == ["tenant 0", "tenant 1"]
    assert failed == ["id 2", "id 3", "id 4"]


class Table:
    """One item, whose answer gets lost once: the SDK repeats the request and meets its own write."""

    def __init__(self) -> None:
        self.item: dict[str, Any] = {}
        self.lose_answer = False

    def get_item(self, **request: Any) -> dict[str, Any]:
        return {"Item": self.item} if self.item else {}

    def update_item(self, **request: Any) -> None:
        values = request["ExpressionAttributeValues"]
        if self.item and self.item["token"] != values.get(":seen"):
            raise refusal("ConditionalCheckFailedException", 400, Item=self.item)
        self.item = {key[1:]: value for key, value in values.items() if key != ":seen"}
        if self.lose_answer:
            self.lose_answer = False
            self.update_item(**request)


def test_a_write_is_refused_when_another_came_first_and_not_when_only_the_answer_was_lost() -> None:
    table = Table()
    one, two = QuotaStore(table, settings()), QuotaStore(table, settings())
    one.read()
    two.read()
    quota = one.quota()
    quota.advance("one", NOW)
    quota.take(3, 0)
    assert one.write(quota, "one", NOW + 1)
    assert not two.write(two.quota(), "two", NOW + 1)
    assert two.quota().in_flight == 3, "what the other wrote is known now"
    assert (two.holder, two.awake_until) == ("one", NOW + 1)
    table.lose_answer = True
    assert one.write(one.quota(), "one", NOW + 2)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Dublin"])
def test_a_zone_is_the_same_in_lambda_without_a_database(zone: str) -> None:
    tier = QuotaTier(limit=1, period=Duration.days(1), start="calendar", time_zone=zone)
    there, here = time_zone(tier.setting()["zone"]), ZoneInfo(zone)
    begin = datetime(2026, 11, 1, tzinfo=timezone.utc)
    for hours in range(0, 24 * 366, 7):
        moment = begin + timedelta(hours=hours)
        assert moment.astimezone(there).utcoffset() == moment.astimezone(here).utcoffset()


@pytest.mark.parametrize(
    ("signal", "verdict", "seconds"),
    [
        (RetryAfter(30), Verdict.RETRY_AFTER, 30),
        (RetryAfter(0.25), Verdict.RETRY_AFTER, 0.25),
        (QuotaSpent(timedelta(days=1)), Verdict.QUOTA_SPENT, 86_400),
        (QuotaSpent(2_592_000), Verdict.QUOTA_SPENT, 2_592_000),
    ],
)
def test_the_dispatcher_understands_what_the_runtime_raises(
    signal: Exception, verdict: Verdict, seconds: float
) -> None:
    outcome = judge({"errorType": type(signal).__name__, "errorMessage": str(signal), "stackTrace": []})
    assert (outcome.verdict, outcome.seconds) == (verdict, seconds)


@pytest.mark.parametrize("number", [-1, float("nan")])
def test_a_signal_without_sense_is_refused(number: float) -> None:
    for signal in (RetryAfter, QuotaSpent):
        with pytest.raises(ValueError, match=f"given {number}"):
            signal(number)


class Function:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert json.loads(request["Payload"]) == {"Records": [{"body": "x"}]}
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, Verdict.DONE),
        ({"batchItemFailures": []}, Verdict.DONE),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, Verdict.FAILED),
        (
            refusal("TooManyRequestsException", 429),
            Verdict.NOT_STARTED,
        ),
        (
            refusal("ServiceException", 500),
            Verdict.UNKNOWN,
        ),
        (ReadTimeoutError(endpoint_url="x"), Verdict.UNKNOWN),
    ],
)
def test_only_a_call_that_surely_never_started_gives_its_slot_back(answer: Any, verdict: Verdict) -> None:
    assert call(Function(answer), "function", {"body": "x"}).verdict is verdict
