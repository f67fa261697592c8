"""`breakwater quota` reads the state with the dispatcher's own code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cdk_breakwater.cli.main import app
from cdk_breakwater.cli.quota_report import change_plan, quota_table, quota_usage
from cdk_breakwater.errors import BreakwaterError
from handlers.quota_dispatcher.calendar_window import DAY
from handlers.quota_dispatcher.clocks import MAX_SKEW, Reading
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.counters import parts
from handlers.quota_dispatcher.key_plans import plan_item, plan_name

T0 = 1_800_000_000_000
ZONE = "America/Los_Angeles"
TIERS: list[dict[str, Any]] = [
    {"limit": 10, "period": 1_000},
    {"limit": 5_000, "period": DAY, "zone": "PST8PDT,M3.2.0,M11.1.0", "zone_name": ZONE},
    {"limit": 100, "period": 60_000},
]


class Account:
    """A stack with one quota, as its services describe it."""

    def __init__(self, counter: Counter | None, *, handler: str = "quota_dispatcher.dispatcher.handler") -> None:
        self.counter, self.handler = counter, handler

    def __call__(self, service: str) -> Account:
        return self

    def get_paginator(self, operation: str) -> Account:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        function = {"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": "dispatcher"}
        return [{"StackResourceSummaries": [function, {"ResourceType": "AWS::SQS::Queue", "PhysicalResourceId": "q"}]}]

    def get_function_configuration(self, **request: Any) -> dict[str, Any]:
        setting = {
            "name": "Shop/Crm",
            "table": "t",
            "function": "f",
            "lanes": {"arn:aws:sqs:eu-central-1:1:door": [1], "arn:aws:sqs:eu-central-1:1:lane": [1]},
            "first": [0],
            "former": list[str](),
            "dead_letters": "dead",
            "doorbell": "doorbell",
            "ordered": False,
            "parallelism": 10,
            "longest_call": 3_000,
            "max_attempts": 5,
            "tiers": TIERS,
        }
        return {"Handler": self.handler, "Environment": {"Variables": {"BREAKWATER_QUOTA": json.dumps(setting)}}}

    def get_item(self, **request: Any) -> dict[str, Any]:
        if self.counter is None:
            return {}
        return {"Item": {"counter": {"S": self.counter.dump()}, "token": {"S": "x"}, "filed": {"N": "4990"}}}

    def get_queue_url(self, **request: Any) -> dict[str, Any]:
        return {"QueueUrl": request["QueueName"]}

    def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        count = {"door": 17, "lane": 3, "dead": 3}[request["QueueUrl"]]
        return {"Attributes": {"ApproximateNumberOfMessages": str(count), "ApproximateNumberOfMessagesNotVisible": "0"}}


def used_counter(tiers: list[dict[str, Any]] = TIERS) -> Counter:
    counter = Counter(tiers, 3_000, first=[0], ordered=False)
    for turn in range(12):
        now = Reading(T0 + 1_500 * turn, 1_500 * turn)
        counter.advance(now, counter.quota.frame if turn else None)
        for slot in counter.quota.take("a", 7, 0)[0][:-1]:
            counter.quota.ended(slot, slot.start + 100)
    counter.shelf.settled = 10
    return counter


@pytest.mark.parametrize("later", [MAX_SKEW, 500 + MAX_SKEW, 30_000, 59_000])
def test_it_counts_as_the_dispatcher_does(later: int) -> None:
    counter = used_counter()
    now = counter.quota.wall + later
    (usage,) = quota_usage("Shop", Account(counter), now / 1000)
    counter.advance(Reading(now, 0), None)
    expected = [counter.quota.used(window) for window in counter.quota.in_order(TIERS)]
    assert [tier.used for tier in usage.tiers] == expected
    assert [tier.limit for tier in usage.tiers] == [10, 5_000, 100]
    assert sum(expected) > 0
    assert usage.waiting == 4_990 - 10 + 17 + 3


def test_the_table_says_how_long_it_takes() -> None:
    usages = quota_usage("Shop", Account(used_counter()), T0 / 1000 + 20)
    console = Console(width=160, record=True)
    console.print(quota_table(usages))
    text = console.export_text()
    for word in ("Shop/Crm", "5,000 in 1 d", ZONE, "1 d", "5,000", "3"):
        assert word in text


def test_a_quota_never_used_and_a_stack_without_one() -> None:
    (usage,) = quota_usage("Shop", Account(None))
    assert [tier.used for tier in usage.tiers] == [0, 0, 0]
    with pytest.raises(BreakwaterError, match="Shop: the stack has no QuotaThrottledInvocation"):
        quota_usage("Shop", Account(None, handler="index.handler"))


def test_one_of_several_quotas_is_shown_by_its_name() -> None:
    stack = Stack({"Shop/Crm": False, "Shop/Llm": False})
    assert [usage.name for usage in quota_usage("Shop", stack)] == ["Shop/Crm", "Shop/Llm"]
    assert [usage.name for usage in quota_usage("Shop", stack, quota="Llm")] == ["Shop/Llm"]
    with pytest.raises(BreakwaterError, match=r"it has no quota 'lm'.*Name one with --quota: Shop/Crm, Shop/Llm"):
        quota_usage("Shop", stack, quota="lm")


class Divided(Account):
    """A quota with three counters, of which the last has never been written."""

    def get_item(self, **request: Any) -> dict[str, Any]:
        which = request["Key"]["id"]["S"]
        if which == "quota/2":
            return {}
        item = super().get_item()["Item"]
        return {"Item": {**item, "id": {"S": which}, "counters": {"N": "3"}}}


def test_of_several_counters_the_sums_are_shown() -> None:
    tiers = parts(TIERS, 0, 3)
    assert parts(TIERS, 1, 3) == [tiers[0], {**tiers[1], "limit": 1_667}, tiers[2]]
    counter = used_counter(tiers)
    now = counter.quota.wall + 900
    (usage,) = quota_usage("Shop", Divided(counter), now / 1000)
    counter.advance(Reading(now, 0), None)
    used = [counter.quota.used(window) for window in counter.quota.in_order(tiers)]
    assert all(used)
    assert [tier.used for tier in usage.tiers] == [2 * each for each in used]
    assert [tier.limit for tier in usage.tiers] == [10, 5_000, 100]
    assert usage.waiting == 2 * (4_990 - 10) + 17 + 3
    console = Console(width=160, record=True)
    console.print(quota_table([usage]))
    assert "Shop/Crm, 3 counters" in console.export_text()


class Ordered(Divided):
    """A deployment has put it in order, which takes one counter."""

    def get_function_configuration(self, **request: Any) -> dict[str, Any]:
        found = super().get_function_configuration(**request)
        setting = json.loads(found["Environment"]["Variables"]["BREAKWATER_QUOTA"])
        variable = json.dumps({**setting, "ordered": True})
        return {**found, "Environment": {"Variables": {"BREAKWATER_QUOTA": variable}}}


def test_of_a_quota_that_cannot_be_divided_any_more_the_reason_is_shown() -> None:
    with pytest.raises(BreakwaterError, match=r"Shop/Crm began with 3 counters: order, keys and weights need one\."):
        quota_usage("Shop", Ordered(used_counter()), T0 / 1000)


class Stack(Account):
    """A stack with several quotas, of which some have keys."""

    def __init__(self, names: dict[str, bool]) -> None:
        super().__init__(None)
        self.names = names
        self.plans: list[tuple[str, dict[str, Any] | None]] = []

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        found = [{"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": name} for name in self.names]
        return [{"StackResourceSummaries": found}]

    def get_function_configuration(self, **request: Any) -> dict[str, Any]:
        name = request["FunctionName"]
        found = super().get_function_configuration()
        setting = json.loads(found["Environment"]["Variables"]["BREAKWATER_QUOTA"]) | {"name": name, "table": name}
        if self.names[name]:
            setting |= {"key": "$.tenant", "key_tiers": [{"limit": 5, "period": 1_000}]}
        return {**found, "Environment": {"Variables": {"BREAKWATER_QUOTA": json.dumps(setting)}}}

    def put_item(self, **request: Any) -> None:
        self.plans.append((request["TableName"], request["Item"]))

    def delete_item(self, **request: Any) -> dict[str, Any]:
        there = bool(self.plans) and self.plans[-1][1] is not None
        self.plans.append((request["TableName"], None))
        return {"Attributes": request["Key"]} if there else {}


@pytest.mark.parametrize(
    ("names", "quota", "changed"),
    [
        ({"Shop/Crm": True}, None, "Shop/Crm"),
        ({"Shop/Mail": False, "Shop/Crm": True}, None, "Shop/Crm"),
        ({"Shop/Old/Crm": True, "Shop/Llm": True}, "Crm", "Shop/Old/Crm"),
        ({"Shop/Old/Crm": True, "Shop/Crm": True}, "Old/Crm", "Shop/Old/Crm"),
        ({"Shop/Old/Crm": True, "Shop/Crm": True}, "Shop/Crm", "Shop/Crm"),
    ],
)
def test_a_plan_is_changed_of_the_quota_that_is_named(names: dict[str, bool], quota: str | None, changed: str) -> None:
    stack = Stack(names)
    assert change_plan("Shop", stack, "acme", ["1=2"], quota) == changed
    assert change_plan("Shop", stack, "acme", None, quota) == changed
    assert stack.plans == [(changed, plan_item(plan_name("acme"), {"1": 2})), (changed, None)]


@pytest.mark.parametrize(
    ("names", "quota", "limits", "words"),
    [
        ({"Shop/Crm": True, "Shop/Llm": True}, None, ["1=2"], "it has 2 such quotas with keys.*Shop/Crm, Shop/Llm"),
        ({"Shop/Old/Crm": True, "Shop/Crm": True}, "Crm", ["1=2"], "it has 2 such quotas.*Shop/Old/Crm, Shop/Crm"),
        ({"Shop/Crm": True}, "rm", ["1=2"], "it has 0 such quotas with keys.*Name one with --quota: Shop/Crm"),
        ({"Shop/Crm": False}, None, ["1=2"], "it has 0 such quotas with keys.*none"),
        ({"Shop/Crm": True}, None, ["1=2", "1=3"], "--limit '1=3' is given twice"),
        ({"Shop/Crm": True}, None, ["60=2"], "--limit '60=2' is no limit of a key"),
        ({"Shop/Crm": True}, None, ["1=" + 5_000 * "9"], "is no limit of a key"),
    ],
)
def test_a_plan_of_no_one_quota_is_refused(
    names: dict[str, bool], quota: str | None, limits: list[str], words: str
) -> None:
    stack = Stack(names)
    with pytest.raises(BreakwaterError, match=words):
        change_plan("Shop", stack, "acme", limits, quota)
    assert not stack.plans


def test_the_command_changes_the_plan_of_the_quota_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack({"Shop/Crm": True, "Shop/Llm": True})
    monkeypatch.setattr("cdk_breakwater.cli.quota_command.client", stack)
    for words in (["--set-plan", "acme", "--limit", "1=2"], ["--clear-plan", "acme"]):
        done = CliRunner().invoke(app, ["quota", "Shop", *words, "--quota", "Llm"])
        assert done.exit_code == 0, done.output
        assert "Shop/Llm: the plan holds" in done.output
    assert stack.plans == [("Shop/Llm", plan_item(plan_name("acme"), {"1": 2})), ("Shop/Llm", None)]
    refused = CliRunner().invoke(app, ["quota", "Shop", "--set-plan", "acme", "--limit", "1=2"])
    assert refused.exit_code == 1
    assert "Name one with --quota: Shop/Crm, Shop/Llm" in refused.output
    for words, problem in ((["--clear-plan", ""], "an empty text"), (["--clear-plan", "acmee"], "'acmee' has no plan")):
        refused = CliRunner().invoke(app, ["quota", "Shop", *words, "--quota", "Llm"])
        assert refused.exit_code == 1, "it was said that the plan holds, or all quotas were shown"
        assert problem in refused.output


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ["--set-plan", "a", "--clear-plan", "a", "--limit", "1=2"],
            "--set-plan and --clear-plan contradict each other",
        ),
        (["--clear-plan", "a", "--limit", "1=2"], "--limit '1=2' is of a plan, and --set-plan is not given"),
        (["--limit", "1=2"], "--limit '1=2' is of a plan, and --set-plan is not given"),
        (["--set-plan", "a"], "--set-plan 'a' is given without a limit"),
        (["--set-plan", "", "--limit", "1=2"], "the key is an empty text"),
        (["--set-plan", "a", "--limit", "1"], "--limit '1' is no SECONDS=LIMIT"),
        (["--set-plan", "a", "--limit", "1=2", "--limit", "1=0"], "--limit '1=0' is no SECONDS=LIMIT"),
        (["--set-plan", "a", "--limit", "1=abc"], "--limit '1=abc' is no SECONDS=LIMIT"),
        (["--set-plan", "a", "--limit", "=5"], "--limit '=5' is no SECONDS=LIMIT"),
    ],
)
def test_what_no_quota_can_do_is_refused_before_anybody_logs_in(
    monkeypatch: pytest.MonkeyPatch, words: list[str], problem: str
) -> None:
    def log_in(region: str | None, profile: str | None) -> None:
        pytest.fail(f"AWS is asked, {region} {profile}")

    monkeypatch.setattr("cdk_breakwater.cli.quota_command.log_in", log_in)
    refused = CliRunner().invoke(app, ["quota", "Shop", *words])
    assert refused.exit_code == 1
    assert problem in " ".join(refused.output.split())


@pytest.mark.parametrize("tenant", ["*", "#9f86d081884c"])
def test_a_tenant_whose_name_means_something_else_is_named_by_its_hash(tenant: str) -> None:
    stack = Stack({"Shop/Crm": True})
    change_plan("Shop", stack, "#" + plan_name(tenant).removeprefix("plan/"), ["1=2"])
    assert stack.plans == [("Shop/Crm", plan_item(plan_name(tenant), {"1": 2}))]
