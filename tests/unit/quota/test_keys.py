"""A quota per key: what the construct takes, what it grants, and what a key is."""

from __future__ import annotations

import json
import random
import zlib
from collections import deque
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_breakwater.errors import BreakwaterError
from cdk_breakwater.quota.invocation import QuotaThrottledInvocation
from cdk_breakwater.quota.tier import QuotaTier
from handlers.quota_dispatcher.blobs import PART, Blobs, UnprocessedError
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.key_counter import KeyShelf
from handlers.quota_dispatcher.key_plans import plan_name
from handlers.quota_dispatcher.key_sorting import Run
from handlers.quota_dispatcher.keyed_counter import KeyedCounter
from handlers.quota_dispatcher.keys import FIRST_NUMBER, MESSAGE_GROUP, KeyMissingError, key_number, read_key
from handlers.quota_dispatcher.page_line import PACKED, PageLine
from handlers.quota_dispatcher.settings import Settings
from handlers.quota_dispatcher.store import Item
from handlers.quota_dispatcher.tiers import TAG, fingerprint
from tests.unit.quota.test_quota_throttled_invocation import caller, settings_of

PAGE = (Path(__file__).parents[3] / "docs" / "quota.md").read_text()
TIERS = [QuotaTier(limit=100, period=Duration.seconds(1))]
EACH = [
    QuotaTier(limit=5, period=Duration.seconds(1)),
    QuotaTier(limit=1_000, period=Duration.days(1), start="calendar"),
]


def statements_of(template: Template, role: str) -> list[dict[str, Any]]:
    policies = template.find_resources("AWS::IAM::Policy").values()
    (statements,) = (
        policy["Properties"]["PolicyDocument"]["Statement"]
        for policy in policies
        if role in json.dumps(policy["Properties"]["Roles"])
    )
    return statements


def actions_of(template: Template, function: str) -> set[str]:
    found = [statement["Action"] for statement in statements_of(template, function)]
    return {action for each in found for action in ([each] if isinstance(each, str) else each)}


def test_the_dispatcher_reads_what_the_construct_writes(stack: cdk.Stack, code: dict[str, Any]) -> None:
    quota = QuotaThrottledInvocation(
        stack, "Crm", function=caller(stack, code), tiers=TIERS, key="$.tenant", key_tiers=EACH
    )
    quota.grant_plans(iam.Role(stack, "Billing", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))
    template = Template.from_stack(stack)
    settings = Settings(**settings_of(template))
    counter = settings.counter()
    assert isinstance(counter, KeyedCounter)
    assert (counter.source, counter.key_tiers) == ("$.tenant", [tier.setting() for tier in EACH])
    assert settings.key_parallelism == 50, "half of the hands, 100, and of the places, 100"
    tag = {"Key": TAG, "Value": fingerprint(settings.all_tiers)}
    template.resource_properties_count_is("AWS::SQS::Queue", {"Tags": [tag]}, 1)
    assert actions_of(template, "CrmDispatcher") >= {"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"}
    assert "dynamodb:BatchWriteItem" not in actions_of(template, "CrmIntake")
    assert "sqs:SendMessage" in actions_of(template, "CrmIntake")
    (written,) = statements_of(template, "Billing")
    assert written["Action"] == ["dynamodb:PutItem", "dynamodb:DeleteItem"]
    assert written["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["plan/*"]}}
    assert plan_name("acme").startswith("plan/")
    with pytest.raises(BreakwaterError, match="slots of these are for messages alone"):
        quota.grant_acquire(lambda_.Function(stack, "Page", **code))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"key": "$.a..b", "key_tiers": EACH}, r"key='\$.a..b' is neither a path"),
        ({"key": "the tenant", "key_tiers": EACH}, "key='the tenant' is neither a path"),
        ({"key": "AWS.tenant", "key_tiers": EACH}, "key='AWS.tenant' is neither a path"),
        ({"key": "$.*", "key_tiers": EACH}, r"key='\$\.\*' is neither a path.* or 'message group'"),
        ({"key": "", "key_tiers": EACH}, "key='' is neither a path"),
        ({"key": 7, "key_tiers": EACH}, "key=7 is neither a path"),
        ({"key": "$.tenant"}, "no tiers for each key"),
        ({"key": "$.tenant", "key_tiers": []}, "no tiers for each key"),
        ({"key_tiers": EACH}, "key_tiers are given, and no key"),
        ({"key": "$.tenant", "key_tiers": [5]}, "key_tiers is"),
        ({"key": "$.tenant", "key_tiers": [EACH[0], EACH[0]]}, "two rolling tiers have the same period"),
        ({"key": "$.tenant", "key_tiers": EACH, "ordered": True}, "and ordered don't go together"),
        ({"key": "$.tenant", "key_tiers": EACH, "lanes": 2}, "and lanes don't go together"),
        ({"key": "$.tenant", "key_tiers": EACH, "priority": True}, "and priority don't go together"),
        (
            {"key": "$.tenant", "key_tiers": [QuotaTier(limit=9, period=Duration.seconds(1), weight="$.other")]},
            r"different weights: \$.tokens, \$.other",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    stack: cdk.Stack, code: dict[str, Any], options: dict[str, Any], problem: str
) -> None:
    tiers = [*TIERS, QuotaTier(limit=1_000, period=Duration.minutes(1), weight="$.tokens")]
    with pytest.raises(BreakwaterError, match=problem):
        QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=tiers, **options)


@pytest.mark.parametrize("imported", [True, False])
def test_rights_are_granted_to_what_has_some(stack: cdk.Stack, code: dict[str, Any], imported: bool) -> None:
    quota: Any = QuotaThrottledInvocation(
        stack, "Crm", function=caller(stack, code), tiers=TIERS, key="$.tenant", key_tiers=EACH
    )
    if imported:
        quota = QuotaThrottledInvocation.from_quota_name(stack, "Theirs", "theirs")
    path = quota.node.path
    for nobody, shown in ((None, "None"), ("x", "'x'"), (5, "5"), (quota.queue, "Queue")):
        for grant in (quota.grant_send, quota.grant_plans):
            with pytest.raises(BreakwaterError, match=f"{path}: grantee is .*{shown}.*an iam.Role"):
                grant(nobody)


def test_pages_of_a_long_backlog_take_few_bytes() -> None:
    """They are written anew with each call of the key, so that each byte counts as often as it is called."""
    draw = random.Random(1)  # noqa: S311 -- other keys' messages lie between them
    numbers = [Run(1, page, 0, 1).number for page in range(1, 40_000) if draw.random() < 0.5]
    shelf = KeyShelf([], False, number=FIRST_NUMBER)
    for number in numbers:
        shelf.pages.add(number, 1)
    written = json.dumps(shelf.dump())
    assert len(zlib.compress(written.encode())) < 2 * len(numbers)
    assert list(KeyShelf([], False).load(json.loads(written)).pages) == list(shelf.pages)
    assert len(shelf.pages.first) + len(shelf.pages.last) < 2 * PACKED, "no turn looks at the others"


def test_a_line_of_pages_is_a_queue_however_long_it_is() -> None:
    draw, line, expected = random.Random(1), PageLine(), deque[tuple[int, int]]()  # noqa: S311 -- a load
    for number in range(600):
        for page in range(draw.choice((0, 0, 1, 2, 400)) if number < 40 else 0):
            line.add(number * 1_000 - page, page + 1)  # what was filed anew has a lower number than what waits
            expected.append((number * 1_000 - page, page + 1))
        for _ in range(draw.choice((0, 1, 3, 90))):
            if line:
                assert line.first[0] == expected.popleft()
                line.drop_first()
        line = PageLine.load(json.loads(json.dumps(line.dump())))
        assert bool(line) == bool(expected)
        if number % 10 == 0:
            assert list(line) == list(expected)
            assert all(each in line for each, _ in list(expected)[:3])
    assert not expected
    assert 0 not in line


def record(body: Any = None, *, group: str | None = None, attribute: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"body": json.dumps(body), "attributes": {}, "messageAttributes": {}}
    if attribute is not None:
        found["messageAttributes"]["tenant"] = {"dataType": "String", "stringValue": attribute}
    if group is not None:
        found["attributes"]["MessageGroupId"] = group
    return found


def test_a_key_is_a_text_or_a_whole_number() -> None:
    assert read_key(record({"tenant": "acme"}), "$.tenant") == "acme"
    assert read_key(record({"a": [{"id": 17}]}), "$.a[0].id") == "17"
    assert read_key(record(attribute="acme"), "tenant") == "acme"
    assert read_key(record(group="acme"), MESSAGE_GROUP) == "acme"
    assert key_number("acme") != key_number("acme ")


@pytest.mark.parametrize("value", [None, "", True, 1.5, ["acme"], {"id": "acme"}, "x" * 257])
def test_what_is_no_key_is_refused_without_naming_it(value: Any) -> None:
    with pytest.raises(KeyMissingError, match=r"its key \$.tenant is neither a text") as caught:
        read_key(record({"tenant": value}), "$.tenant")
    assert "acme" not in str(caught.value)
    with pytest.raises(KeyMissingError, match="no message group"):
        read_key(record(), MESSAGE_GROUP)


class Table:
    """DynamoDB that leaves all but one item of each batch to the next request."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.stuck = stuck

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        first, *left = request["RequestItems"]["t"]
        if self.stuck:
            return {"UnprocessedItems": request["RequestItems"]}
        if "PutRequest" in first:
            item = first["PutRequest"]["Item"]
            assert len(item["content"]["B"]) <= PART
            self.items[item["id"]["S"]] = item
        else:
            self.items.pop(first["DeleteRequest"]["Key"]["id"]["S"], None)
        return {"UnprocessedItems": {"t": left} if left else {}}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        first, *left = request["RequestItems"]["t"]["Keys"]
        found = [self.items[first["id"]["S"]]] if first["id"]["S"] in self.items else []
        return {"Responses": {"t": found}, "UnprocessedKeys": {"t": {"Keys": left}} if left else {}}


def test_what_a_batch_leaves_is_asked_for_again() -> None:
    blobs = Blobs(Table(), "t", print)
    large = "".join(chr(33 + (n * n * 31 + n // 7) % 90) for n in range(1_200_000))
    blobs.put({"a": "one", "b": "two", "large": large})
    assert blobs.get(["a", "b", "large", "none"]) == {"a": "one", "b": "two", "large": large}
    blobs.delete(["a", "b"])
    assert blobs.get(["a", "b"]) == {}
    stuck = Blobs(Table(stuck=True), "t", print)
    with pytest.raises(UnprocessedError, match="1 items"):
        stuck.put({"a": "one"})


def test_a_dispatcher_without_keys_cannot_overwrite_those_of_another() -> None:
    plain = Counter([{"limit": 1, "period": 1_000}], 3_000, first=[0], ordered=False)
    item = {"counter": {"S": plain.dump()}, "keyed": {"S": "{}"}, "token": {"S": "x"}}
    seen = Item.read(item)
    assert (seen.keyed, seen.state) == (True, "{}")
    assert not Item.read({"counter": {"S": plain.dump()}}).keyed
