"""`breakwater quota` counts as the dispatcher does, although it shares no code with it."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from cdk_breakwater.cli.quota_report import quota_table, quota_usage
from cdk_breakwater.errors import BreakwaterError
from handlers.quota_dispatcher.calendar_window import DAY, CalendarWindow
from handlers.quota_dispatcher.quota import Quota
from handlers.quota_dispatcher.rolling_window import RollingWindow

T0 = 1_800_000_000_000
ZONE = "America/Los_Angeles"


class Account:
    """A stack with one quota, as its services describe it."""

    def __init__(self, state: str | None, *, handler: str = "quota_dispatcher.dispatcher.handler") -> None:
        self.state, self.handler = state, handler

    def __call__(self, service: str) -> Account:
        return self

    def get_paginator(self, operation: str) -> Account:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        function = {"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": "dispatcher"}
        return [{"StackResourceSummaries": [function, {"ResourceType": "AWS::SQS::Queue", "PhysicalResourceId": "q"}]}]

    def get_function_configuration(self, **request: Any) -> dict[str, Any]:
        tiers = [
            {"limit": 10, "period": 1_000},
            {"limit": 100, "period": 60_000},
            {"limit": 5_000, "period": DAY, "zone": "", "zone_name": ZONE},
        ]
        setting = {"name": "Shop/Crm", "table": "t", "lanes": ["one", "two"], "dead_letters": "dead", "tiers": tiers}
        return {"Handler": self.handler, "Environment": {"Variables": {"BREAKWATER_QUOTA": json.dumps(setting)}}}

    def get_item(self, **request: Any) -> dict[str, Any]:
        return {"Item": {"state": {"S": self.state}}} if self.state else {}

    def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        count = {"one": 4_000, "two": 1_000, "dead": 3}[request["QueueUrl"]]
        return {"Attributes": {"ApproximateNumberOfMessages": str(count), "ApproximateNumberOfMessagesNotVisible": "0"}}


def used_quota() -> Quota:
    windows = [RollingWindow(10, 1_000), RollingWindow(100, 60_000), CalendarWindow(5_000, DAY, ZoneInfo(ZONE), ZONE)]
    quota = Quota(windows, 3_000)
    for turn in range(12):
        quota.advance("a", T0 + 1_500 * turn)
        for slot in quota.take(7, 0)[0][:-1]:
            quota.ended(slot, slot.start + 100)
    return quota


@pytest.mark.parametrize("later", [0, 500, 1_050, 30_000, 59_000])
def test_it_counts_as_the_dispatcher_does(later: int) -> None:
    quota = used_quota()
    text, now = quota.dump(), quota.wall + later
    (usage,) = quota_usage("Shop", Account(text), now / 1000)
    quota.advance("a", now)
    assert [tier.used for tier in usage.tiers] == [quota.used(window) for window in quota.windows]


def test_the_table_says_how_long_it_takes() -> None:
    usages = quota_usage("Shop", Account(used_quota().dump()), T0 / 1000 + 20)
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
