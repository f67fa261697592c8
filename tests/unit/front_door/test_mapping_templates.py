"""What each source receives, rendered by a Velocity engine and parsed as the source parses it."""

from __future__ import annotations

import json
import random
import re
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakwater_runtime.idempotency import JOB, _front_door
from cdk_breakwater.front_door import mapping_templates as templates
from cdk_breakwater.front_door.mapping_templates import Caller, FrontDoorTemplates
from tests.unit.front_door.velocity import render

LONGEST = 262_144
CONTEXT: dict[str, Any] = {
    "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    "extendedRequestId": "Fx1yZ+Eo/AMFd9g=",
    "path": "/prod/orders",
    "requestTimeEpoch": 1795517749123,
    "identity": {"caller": "", "cognitoIdentityId": "", "apiKeyId": ""},
    "authorizer": {"principalId": "bob", "claims": {"sub": "4c1f"}},
}
NAME = templates.job_name("5e1f00d5", Caller.AUTHORIZER)
OPTIONS: dict[str, Any] = {"longest": LONGEST, "retry_after": 5}
SOURCES = {
    "sqs": templates.sqs_templates(NAME, fifo=False, order_by=None, **OPTIONS),
    "fifo": templates.sqs_templates(NAME, fifo=True, order_by=None, **OPTIONS),
    "kinesis": templates.kinesis_templates(NAME, "clicks", order_by=None, **OPTIONS),
    "dynamodb": templates.dynamodb_templates(NAME, "orders", partition_key="order_id", **OPTIONS),
}
HOSTILE = {
    "quotes": '{"a": "it\'s \\"quoted\\"", "b": "\'\'"}',
    "lines": '{"a":\n\t"b\\n",\r\n"c": 1}\n',
    "unicode": '{"ü": "Größe 日本語 🚢", "nul": "\\u0000", "line": "\u2028"}',
    "query": '{"a": "&Action=DeleteQueue&QueueUrl=x", "b": "1+1=2", "c": "100%", "d": "%26 %2B ~*"}',
    "velocity": '{"a": "$context.identity.caller #set($job = 1) $!job ${job} #if(true)#end ## #* *# \\$job"}',
    "json": '{"a": "\\"}, \\"TableName\\": \\"other\\", \\"x\\": {\\""}',
    "invalid": '{"a": ',
    "empty": "",
    "256 KiB": json.dumps("".join(random.Random(1).choices("ab\"'&+%\\$#{}", k=200_000)))[:LONGEST],  # noqa: S311
}


def sent(source: str, rendered: str) -> tuple[str, bytes, dict[str, Any]]:
    """Return the job, the body, and the whole of what a source receives."""
    if source in {"sqs", "fifo"}:
        assert "\n" not in rendered
        form = parse_qs(rendered, keep_blank_values=True, strict_parsing=True)
        assert all(len(values) == 1 for values in form.values())
        fields = {name: values[0] for name, values in form.items()}
        attribute = {name.rpartition(".1.")[2]: fields.pop(name) for name in list(fields) if "Attribute" in name}
        assert (attribute.pop("Name"), attribute.pop("Value.DataType")) == (JOB, "String")
        (job,) = attribute.values()
        return job, fields.pop("MessageBody").encode(), fields
    request = json.loads(rendered)
    if source == "kinesis":
        record = {"kinesis": {"data": request.pop("Data")}}
        job, record = _front_door(record)
        assert job is not None
        return job, b64decode(record["kinesis"]["data"]), request
    item = request.pop("Item")
    assert item["posted"] == {"N": "1795517749123"}
    assert item.pop(JOB) == item["order_id"]
    return item["order_id"]["S"], b64decode(item["body"]["B"]), request


@pytest.mark.parametrize("source", SOURCES)
def test_no_letter_follows_a_directive(source: str) -> None:
    # Velocity reads #endAction as one name, airspeed as #end.
    made = SOURCES[source]
    for template in (made.request, made.accepted, made.refused):
        assert not re.search(r"#(end|else(?!if))\w", template)


def decoded(job: str) -> list[str]:
    """Return the door's tag, the caller and the name."""
    tag, *parts = job.split(".")
    return [tag, *(b64decode(part + "=" * (-len(part) % 4), altchars=b"-_").decode() for part in parts)]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("source", SOURCES)
def test_a_hostile_body_arrives_byte_for_byte(source: str, name: str) -> None:
    body = HOSTILE[name]
    job, received, rest = sent(source, render(SOURCES[source].request, body, **CONTEXT)[0])
    assert received == body.encode()
    assert decoded(job) == ["5e1f00d5", "bob", f"request {CONTEXT['requestId']} {CONTEXT['extendedRequestId']}"]
    expected = {
        "sqs": {"Action": "SendMessage"},
        "fifo": {"Action": "SendMessage", "MessageGroupId": "gbob", "MessageDeduplicationId": "Fx1yZ+Eo/AMFd9g="},
        "kinesis": {"StreamName": "clicks", "PartitionKey": job[-256:]},
        "dynamodb": {
            "TableName": "orders",
            "ConditionExpression": "attribute_not_exists(#pk)",
            "ExpressionAttributeNames": {"#pk": "order_id"},
        },
    }
    assert rest == expected[source]


@pytest.mark.parametrize("source", SOURCES)
@given(
    body=st.text(st.characters(exclude_categories=["Cs"])), key=st.text(st.characters(codec="latin-1"), max_size=255)
)
def test_any_body_and_any_key(source: str, body: str, key: str) -> None:
    rendered, _ = render(SOURCES[source].request, body, {"Idempotency-Key": key}, **CONTEXT)
    job, received, _ = sent(source, rendered)
    assert received == body.encode()
    if key:
        assert decoded(job) == ["5e1f00d5", "bob", f"key {key}"]


@pytest.mark.parametrize("source", SOURCES)
def test_a_key_makes_the_same_job_of_two_requests(source: str) -> None:
    jobs = {
        sent(source, render(SOURCES[source].request, "{}", {header: "k-1"}, **{**CONTEXT, "requestId": request})[0])[0]
        for header, request in (("Idempotency-Key", "1"), ("Idempotency-Key", "2"), ("idempotency-key", "3"))
    }
    assert len(jobs) == 1


@pytest.mark.parametrize("source", SOURCES)
def test_two_requests_and_two_callers_are_different_jobs(source: str) -> None:
    contexts = [
        CONTEXT,
        {**CONTEXT, "requestId": "2"},
        {**CONTEXT, "extendedRequestId": "2"},
        {**CONTEXT, "authorizer": {"principalId": "bo"}},
        {**CONTEXT, "authorizer": {"principalId": "b", "x": "o"}},
    ]
    jobs = {sent(source, render(SOURCES[source].request, "{}", **context)[0])[0] for context in contexts}
    assert len(jobs) == len(contexts)


@pytest.mark.parametrize(
    ("caller", "context", "expected"),
    [
        (Caller.IAM, {"caller": "AROAEXAMPLE:session", "cognitoIdentityId": ""}, " AROAEXAMPLE"),
        (Caller.IAM, {"caller": "AIDAEXAMPLE", "cognitoIdentityId": ""}, " AIDAEXAMPLE"),
        (
            Caller.IAM,
            {"caller": "AROAEXAMPLE:CognitoIdentityCredentials", "cognitoIdentityId": "eu-central-1:1f2e"},
            "eu-central-1:1f2e AROAEXAMPLE",
        ),
        (Caller.API_KEY, {"apiKeyId": "k1"}, "k1"),
        (Caller.API_KEY, {"apiKeyId": ""}, ""),
        (Caller.USER_POOL, {}, "4c1f"),
        (Caller.AUTHORIZER, {}, "bob"),
    ],
)
def test_the_caller(caller: Caller, context: dict[str, str], expected: str) -> None:
    made = templates.sqs_templates(templates.job_name("5e1f00d5", caller), fifo=False, order_by=None, **OPTIONS)
    rendered, _ = render(made.request, "{}", **{**CONTEXT, "identity": context})
    assert decoded(sent("sqs", rendered)[0])[1] == expected


@pytest.mark.parametrize(
    ("value", "group"), [("c-1", "gc-1"), ("a&b c/ü", "ga%26b+c%2F%C3%BC"), (7, "g7"), (None, "g")]
)
def test_fifo_orders_by_what_the_body_says(value: object, group: str) -> None:
    made = templates.sqs_templates(NAME, fifo=True, order_by="$.customer.id", **OPTIONS)
    rendered, _ = render(made.request, json.dumps({"customer": {"id": value}}), **CONTEXT)
    assert sent("fifo", rendered)[2]["MessageGroupId"] == group


@pytest.mark.parametrize(("value", "key"), [('a"b', "ga%22b"), (7, "g7"), (None, "g")])
def test_kinesis_orders_by_what_the_body_says(value: object, key: str) -> None:
    made = templates.kinesis_templates(NAME, "clicks", order_by="$.customer", **OPTIONS)
    rendered, _ = render(made.request, json.dumps({"customer": value}), **CONTEXT)
    assert sent("kinesis", rendered)[2]["PartitionKey"] == key


LONG = ["x" * 300, "ü" * 43, "ü" * 300, "日本語" * 100, "🚢" * 100, "a b" * 60]


@pytest.mark.parametrize("value", LONG)
@pytest.mark.parametrize("source", ["fifo", "kinesis"])
def test_a_long_order_value_is_one_group_that_the_source_takes(source: str, value: str) -> None:
    made = (
        templates.sqs_templates(NAME, fifo=True, order_by="$.customer", **OPTIONS)
        if source == "fifo"
        else templates.kinesis_templates(NAME, "clicks", order_by="$.customer", **OPTIONS)
    )
    groups = set()
    for request in ("1", "2"):
        body = json.dumps({"customer": value, "request": request}, ensure_ascii=False)
        _, received, rest = sent(source, render(made.request, body, **{**CONTEXT, "requestId": request})[0])
        assert received == body.encode()
        groups.add(rest["MessageGroupId" if source == "fifo" else "PartitionKey"])
    (group,) = groups
    assert 0 < len(group) <= (128 if source == "fifo" else 256)
    assert re.fullmatch(r"[\x21-\x7e]+", group)


@pytest.mark.parametrize("principal", ["bob", "p" * 123, "p" * 1_000])
@pytest.mark.parametrize("key", ["", "k" * 158, "k" * 255, "ü" * 255])
@pytest.mark.parametrize("source", SOURCES)
def test_any_caller_and_any_key_is_taken(source: str, principal: str, key: str) -> None:
    context = {**CONTEXT, "authorizer": {"principalId": principal}}
    rendered, _ = render(SOURCES[source].request, "{}", {"Idempotency-Key": key}, **context)
    job, _, rest = sent(source, rendered)
    assert decoded(job)[1] == principal
    assert len(rest.get("PartitionKey", "")) <= 256
    assert len(rest.get("MessageGroupId", "")) <= 128


def test_a_repeated_key_stays_in_its_shard_and_others_spread() -> None:
    keys = {
        (
            number,
            sent("kinesis", render(SOURCES["kinesis"].request, "{}", {"Idempotency-Key": key}, **context)[0])[2][
                "PartitionKey"
            ],
        )
        for number, key in enumerate(["k" * 200, "k" * 199 + "l", ""])
        for context in ({**CONTEXT, "requestId": "1"}, CONTEXT)
    }
    by_key = [{partition for number, partition in keys if number == each} for each in range(3)]
    assert [len(found) for found in by_key] == [1, 1, 2]
    assert len(set().union(*by_key)) == 4


class TestRefusals:
    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize(
        ("body", "key"),
        [
            ("x" * (LONGEST + 3), ""),
            ("日" * (LONGEST // 3 + 2), ""),  # 786 KB of these were 256 Ki characters
            ("🚢" * (LONGEST // 4 + 1), ""),
            ("{}", "x" * 256),
        ],
    )
    def test_what_is_too_large_is_no_call_that_could_be_refused_for_another_reason(
        self, source: str, body: str, key: str
    ) -> None:
        rendered, _ = render(SOURCES[source].request, body, {"Idempotency-Key": key}, **CONTEXT)
        assert rendered == ("Action=Refused" if source in {"sqs", "fifo"} else "too large")

    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize("body", ["x" * LONGEST, "日" * (LONGEST // 3), "🚢" * (LONGEST // 4)])
    def test_what_fits_in_bytes_passes(self, source: str, body: str) -> None:
        assert sent(source, render(SOURCES[source].request, body, **CONTEXT)[0])[1] == body.encode()

    @pytest.mark.parametrize(
        ("source", "error", "status", "message"),
        [
            ("sqs", {"Error": {"Code": "InvalidAction"}}, 413, "The body is too large, or Idempotency-Key is longer"),
            ("sqs", {"Error": {"Code": "x", "Message": "must be shorter than 1 bytes"}}, 413, "The body is too large"),
            ("sqs", {"Error": {"Code": "InvalidMessageContents"}}, None, "The body holds what a queue does not take"),
            ("fifo", {"Error": {"Code": "InvalidParameterValue"}}, None, "The body holds what a queue does not take"),
            ("fifo", {"Error": {"Code": "RequestThrottled"}}, 503, "Too busy, try again."),
            ("sqs", {"Error": {"Code": "KmsDisabled"}}, 500, "Internal server error"),
            ("kinesis", {"__type": "ValidationException"}, 413, "The body is too large"),
            ("kinesis", {"__type": "SerializationException"}, 413, "The body is too large"),
            ("dynamodb", {"__type": "com.amazon.coral.service#SerializationException"}, 413, "The body is too large"),
            ("kinesis", {"__type": "ProvisionedThroughputExceededException"}, 503, "Too busy, try again."),
            ("kinesis", {"__type": "ResourceNotFoundException"}, 500, "Internal server error"),
            ("dynamodb", {"__type": "x#ValidationException"}, 413, "The body is too large"),
            ("dynamodb", {"__type": "x#RequestLimitExceeded"}, 503, "Too busy, try again."),
            ("dynamodb", {"__type": "x#ThrottlingException"}, 503, "Too busy, try again."),
        ],
    )
    def test_the_callers_faults_are_told_from_the_doors(
        self, source: str, error: dict[str, Any], status: int | None, message: str
    ) -> None:
        rendered, overrides = render(SOURCES[source].refused, json.dumps(error), **CONTEXT)
        assert overrides.get("status") == status
        assert json.loads(rendered)["message"].startswith(message)
        assert ("Retry-After" in overrides["header"]) is (status == 503)


def answer(made: FrontDoorTemplates, template: str, key: str, reply: str) -> tuple[dict[str, str], dict[str, Any]]:
    rendered, overrides = render(template, reply, {"Idempotency-Key": key}, **CONTEXT)
    return json.loads(rendered), overrides


@pytest.mark.parametrize("key", ["", "k-1"])
@pytest.mark.parametrize("source", SOURCES)
def test_the_answer_leads_to_the_job_that_was_sent(source: str, key: str) -> None:
    made = SOURCES[source]
    job, *_ = sent(source, render(made.request, "{}", {"Idempotency-Key": key}, **CONTEXT)[0])
    told, overrides = answer(made, made.accepted, key, "{}")
    assert told == {"id": job, "location": f"/prod/orders/{job}"}
    assert overrides == {"header": {"Location": f"/prod/orders/{job}", "Retry-After": "5"}}


def test_a_repeated_key_gets_the_same_answer_from_a_table() -> None:
    made = SOURCES["dynamodb"]
    error = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"})
    told, overrides = answer(made, made.refused, "k-1", error)
    assert told == answer(made, made.accepted, "k-1", "{}")[0]
    assert overrides["status"] == 202
