"""`breakwater quota` reads the state with the dispatcher's own code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rich.console import Console

from cdk_breakwater.cli.quota_report import quota_table, quota_usage
from cdk_breakwater.errors import BreakwaterError
from handlers.quota_dispatcher.calendar_window import DAY
from handlers.quota_dispatcher.clocks import MAX_SKEW, Reading
from handlers.quota_dispatcher.counter import Counter

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


def used_counter() -> Counter:
    counter = Counter(TIERS, 3_000, first=[0], ordered=False)
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
