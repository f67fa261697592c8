"""The front door's own functions, against emulated DynamoDB, SQS and S3."""

from __future__ import annotations

import json
import time
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from demo.emulator import CREDENTIALS, REGION, Emulator

from handlers.front_door import failures, results
from handlers.front_door.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

TAG = "5e1f00d5"
DAY = 86_400


class Door:
    """An account with what a door needs, and requests as API Gateway passes them on."""

    def __init__(self, account: Emulator) -> None:
        self.dynamodb, self.sqs, self.s3 = (account.client(name) for name in ("dynamodb", "sqs", "s3"))
        for table, key in (("results", "job"), ("orders", "order_id")):
            self.dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        self.s3.create_bucket(Bucket="failed")
        self.queue = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.fifo = self.sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        self.settings: dict[str, Any] = {
            "table": "results",
            "bucket": "answers",
            "tag": TAG,
            "caller": "AUTHORIZER",
            "retry_after": 5,
            "longest_wait": 4 * DAY,
            "queues": [],
            "headers": {},
        }

    def get(self, job: str, **request: Any) -> tuple[int, Any, dict[str, str]]:
        event = {"pathParameters": {"id": job}, "requestContext": {"authorizer": {"principalId": "ann"}, **request}}
        answer = results.handler(event, None)
        return answer["statusCode"], json.loads(answer["body"]), answer["headers"]

    def put(self, job: str, **attributes: Any) -> None:
        item = {
            name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in attributes.items()
        }
        self.dynamodb.put_item(TableName="results", Item={"job": {"S": job}, **item})

    def item(self, job: str) -> dict[str, Any]:
        return Jobs(self.dynamodb, "results").read(job)


def name(who: str = "ann", tag: str = TAG) -> str:
    return ".".join([tag, *(urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in (who, str(uuid4())))])


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("account")) as account:
        yield account


@pytest.fixture(scope="module")
def made(account: Emulator) -> Door:
    return Door(account)


@pytest.fixture
def door(account: Emulator, made: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    for module in (results, failures):
        module._client.cache_clear()
    for key, value in {"AWS_ENDPOINT_URL": account.url, "AWS_DEFAULT_REGION": REGION, **CREDENTIALS}.items():
        monkeypatch.setenv(key.upper(), value)
    made.settings |= {"caller": "AUTHORIZER", "queues": [], "source_table": "", "partition_key": ""}
    set_settings(made, monkeypatch)
    yield made
    for module in (results, failures):
        module._client.cache_clear()


def set_settings(door: Door, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    monkeypatch.setenv(results.VARIABLE, json.dumps({**door.settings, **settings}))


class TestResults:
    def test_done(self, door: Door) -> None:
        job = name()
        door.put(job, outcome="done", answer='{"ü": 1}', expires=int(time.time()) + DAY)
        status, body, headers = door.get(job)
        assert (status, body) == (200, {"ü": 1})
        assert headers == {"Content-Type": "application/json", "Cache-Control": "no-store"}

    def test_done_and_the_answer_was_not_kept(self, door: Door) -> None:
        job = name()
        door.put(job, outcome="done", reason="It could not be stored: KeyError.", expires=int(time.time()) + DAY)
        status, body, _ = door.get(job)
        assert (status, body["reason"]) == (500, "It could not be stored: KeyError.")

    def test_an_id_that_no_table_takes(self, door: Door) -> None:
        for length in (2_048, 2_049, 100_000):
            prefix = name()
            status, *_ = door.get(prefix + "x" * (length - len(prefix)))
            assert status == (202 if length == 2_048 else 404)

    def test_for_a_page_in_a_browser(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        set_settings(door, monkeypatch, headers={"Access-Control-Allow-Origin": "https://shop.example.net"})
        for job in ("unknown", name()):
            assert door.get(job)[2]["Access-Control-Allow-Origin"] == "https://shop.example.net"

    def test_large(self, door: Door) -> None:
        job = name()
        door.put(job, outcome="done", answer_key="the-key", expires=int(time.time()) + DAY)
        status, _, headers = door.get(job)
        assert status == 303
        assert "/answers/the-key?" in headers["Location"]
        assert "X-Amz-Expires=300" in headers["Location"]

    def test_failed(self, door: Door) -> None:
        job = name()
        door.put(job, outcome="failed", reason="KeyError", expires=int(time.time()) + DAY)
        assert door.get(job)[:2] == (500, {"message": "The job failed.", "reason": "KeyError"})

    @pytest.mark.parametrize("outcome", ["done", "failed"])
    def test_expired(self, door: Door, outcome: str) -> None:
        job = name()
        door.put(job, outcome=outcome, answer="1", reason="r", expires=int(time.time()) - 1)
        assert door.get(job)[:2] == (410, {"message": "The result has expired."})

    @pytest.mark.parametrize("outcome", ["waiting", "working"])
    def test_under_way(self, door: Door, outcome: str) -> None:
        job = name()
        door.put(job, outcome=outcome, reason="of the last try")
        status, body, headers = door.get(job)
        assert (status, headers["Retry-After"]) == (202, "5")
        assert body == {"id": job, "message": "The job is waiting or under way."}

    @pytest.mark.parametrize(
        "job",
        ["", "x", str(uuid4()), name("bob"), name(tag="0e1f00d5"), name("") + "\n", f"{TAG}.YW5u.", f"{TAG}.YW5u.ü"],
        ids=["nothing", "letter", "uuid", "other caller", "other door", "line break", "no name", "no base64"],
    )
    def test_no_job_of_this_caller_leaves_no_trace(self, door: Door, job: str) -> None:
        assert door.get(job)[:2] == (404, {"message": "There is no such job."})
        assert not job or not door.item(job)

    @pytest.mark.parametrize(
        ("kind", "request_context", "who"),
        [
            ("IAM", {"identity": {"caller": "AROAEXAMPLE:session", "cognitoIdentityId": None}}, " AROAEXAMPLE"),
            ("IAM", {"identity": {"caller": "AIDAEXAMPLE"}}, " AIDAEXAMPLE"),
            ("IAM", {"identity": {"caller": "AROA:x", "cognitoIdentityId": "eu-1:1f"}}, "eu-1:1f AROA"),
            ("USER_POOL", {"authorizer": {"claims": {"sub": "4c1f"}}}, "4c1f"),
            ("AUTHORIZER", {"authorizer": {"principalId": "bob"}}, "bob"),
            ("API_KEY", {"identity": {"apiKeyId": "k1"}}, "k1"),
            ("API_KEY", {"identity": {}}, ""),
        ],
    )
    def test_each_kind_of_caller_reads_his_own(
        self, door: Door, monkeypatch: pytest.MonkeyPatch, kind: str, request_context: dict[str, Any], who: str
    ) -> None:
        set_settings(door, monkeypatch, caller=kind)
        job = name(who)
        door.put(job, outcome="done", answer="1", expires=int(time.time()) + DAY)
        assert door.get(job, **request_context)[0] == 200
        other = name(f"{who}x")
        door.put(other, outcome="done", answer="1", expires=int(time.time()) + DAY)
        assert door.get(other, **request_context)[0] == 404


class TestEvidence:
    def test_a_queue_may_hold_it_until_it_has_been_empty_for_long_enough(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        main = door.sqs.create_queue(QueueName=f"main-{uuid4()}")["QueueUrl"]
        passed = door.sqs.create_queue(QueueName=f"passed-{uuid4()}")["QueueUrl"]
        set_settings(door, monkeypatch, queues=[main, passed])
        job = name()
        assert door.get(job)[0] == 202
        noted = door.item(job)
        assert noted["outcome"]["S"] == "asked"
        assert int(noted["delete_after"]["N"]) > int(noted["asked_at"]["N"]) + 4 * DAY
        assert door.get(job)[0] == 202, "an empty queue is not believed yet"
        door.put(job, outcome="asked", asked_at=int(time.time()) - results.SETTLED_SECONDS - 1)
        for queue in (main, passed):
            door.sqs.send_message(QueueUrl=queue, MessageBody="another")
            assert door.get(job)[0] == 202
            (message,) = door.sqs.receive_message(QueueUrl=queue)["Messages"]
            assert door.get(job)[0] == 202, "under way"
            door.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        assert door.get(job)[0] == 404

    @pytest.mark.parametrize(("waited", "status"), [(4 * DAY - 60, 202), (4 * DAY + 60, 404)])
    def test_a_stream_may_hold_it_for_its_retention(self, door: Door, waited: int, status: int) -> None:
        job = name()
        door.put(job, outcome="asked", asked_at=int(time.time()) - waited)
        assert door.get(job)[0] == status

    def test_a_table_knows(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        set_settings(door, monkeypatch, source_table="orders", partition_key="order_id")
        job = name()
        assert door.get(job)[0] == 404
        for age, status in ((60, 202), (4 * DAY + 60, 410)):
            posted = {"N": str(int(1000 * (time.time() - age)))}
            door.dynamodb.put_item(TableName="orders", Item={"order_id": {"S": job}, "posted": posted})
            assert door.get(job)[0] == status

    def test_who_asks_late_changes_nothing(self, door: Door) -> None:
        job = name()
        door.put(job, outcome="done", answer="1")
        Jobs(door.dynamodb, "results").asked(job, 1, 2)
        assert door.item(job)["outcome"]["S"] == "done"


def fail(door: Door, monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], queue: str) -> list[str]:
    settings = {"table": "results", "seconds": 60, "dead_letters": queue}
    monkeypatch.setenv(failures.VARIABLE, json.dumps(settings))
    answer = failures.handler(event, None)
    return [each["itemIdentifier"] for each in answer.get("batchItemFailures", [])]


def record(job: str | None, **attributes: str) -> dict[str, Any]:
    fifo = ".fifo" if "MessageGroupId" in attributes else ""
    named = {"breakwater-job": {"dataType": "String", "stringValue": job, "binaryValue": None}} if job else {}
    binary = {"trace": {"dataType": "Binary", "binaryValue": b64encode(b"\x00\xff").decode()}}
    return {
        "messageId": str(uuid4()),
        "body": '{"a": "ü"}',
        "attributes": attributes,
        "messageAttributes": {**named, **binary},
        "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:passed{fifo}",
    }


class TestFailures:
    def test_are_noted_and_go_on_as_they_are(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        told, silent, done, asked = name(), name(), name(), name()
        door.put(silent, outcome="working", busy_until=1)
        door.put(asked, outcome="asked", asked_at=1)
        door.put(told, outcome="waiting", reason="the card was declined")
        door.put(done, outcome="done", answer="1")
        never = name()
        records = [record(told), record(silent), record(done), record(None), record(asked), record(never)]
        assert fail(door, monkeypatch, {"Records": records}, door.queue) == []
        assert door.item(told)["reason"]["S"] == "the card was declined"
        assert door.item(silent)["reason"]["S"] == "The function ended without an answer each time it was tried."
        for untried in (asked, never):
            assert door.item(untried)["reason"]["S"].startswith("The function never began it")
        assert [door.item(job)["outcome"]["S"] for job in (told, silent, done)] == ["failed", "failed", "done"]
        assert int(door.item(told)["delete_after"]["N"]) - int(door.item(told)["expires"]["N"]) == 60
        letters = door.sqs.receive_message(QueueUrl=door.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])[
            "Messages"
        ]
        assert [letter["Body"] for letter in letters] == ['{"a": "ü"}'] * 6
        assert {letter["MessageAttributes"]["trace"]["BinaryValue"] for letter in letters} == {b"\x00\xff"}
        jobs = [letter["MessageAttributes"].get("breakwater-job", {}).get("StringValue") for letter in letters]
        assert sorted(jobs, key=str) == sorted([told, silent, done, None, asked, never], key=str)

    def test_of_a_fifo_queue_keep_their_group(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        sent = record(name(), MessageGroupId="g1")
        assert fail(door, monkeypatch, {"Records": [sent]}, door.fifo) == []
        (letter,) = door.sqs.receive_message(QueueUrl=door.fifo, AttributeNames=["All"])["Messages"]
        assert letter["Attributes"]["MessageGroupId"] == "g1"
        assert letter["Attributes"]["MessageDeduplicationId"] == sent["messageId"]

    def test_that_cannot_go_on_come_again(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        sent = record(name())
        assert fail(door, monkeypatch, {"Records": [sent]}, f"{door.queue}-gone") == [sent["messageId"]]

    def test_of_a_stream_are_found_in_what_lambda_keeps(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        one, other = name(), name()
        data = b64encode(f'breakwater-job {one} {{"a": 1}}'.encode()).decode()
        image = {"order_id": {"S": other}, "breakwater-job": {"S": other}, "body": {"B": "e30="}}
        records = [
            {"eventSource": "aws:kinesis", "kinesis": {"data": data}},
            {"eventSource": "aws:kinesis", "kinesis": {"data": b64encode(b"plain").decode()}},
            {"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {"NewImage": image}},
            {"eventSource": "aws:dynamodb", "eventName": "REMOVE", "dynamodb": {"Keys": {"order_id": {"S": "1"}}}},
            {"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {"Keys": {"order_id": {"S": "1"}}}},
        ]
        kept = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "payload": json.dumps({"Records": records})}
        door.s3.put_object(Bucket="failed", Key="aws/lambda/x", Body=json.dumps(kept).encode())
        event = {"detail": {"bucket": {"name": "failed"}, "object": {"key": "aws/lambda/x"}}}
        assert fail(door, monkeypatch, event, door.queue) == []
        assert [door.item(job)["outcome"]["S"] for job in (one, other)] == ["failed"] * 2
