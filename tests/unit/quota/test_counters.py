"""A quota of thousands of calls a second has several counters, among which its limits are divided."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template
from hypothesis import given
from hypothesis import strategies as st

from cdk_breakwater import QuotaThrottledInvocation, QuotaTier
from cdk_breakwater.errors import BreakwaterError
from cdk_breakwater.quota.counters import MOST_HANDS
from handlers.quota_dispatcher.counters import granting, part, parts
from handlers.quota_dispatcher.learned import Told
from handlers.quota_dispatcher.settings import Settings
from handlers.quota_dispatcher.store import Store
from tests.unit.quota.test_dispatcher_parts import SETTINGS, table

SECOND = Duration.seconds(1)
PAGE = (Path(__file__).parents[3] / "docs" / "quota.md").read_text()


@given(st.integers(1, 10**9), st.integers(1, 999))
def test_all_parts_together_are_the_limit_and_the_last_is_never_empty(limit: int, counters: int) -> None:
    found = [part(limit, number, counters) for number in range(counters)]
    assert sum(found) == limit
    assert max(found) - min(found) <= 1
    assert found[-1] >= 1


@given(st.integers(1, 10**6), st.integers(0, 10**4), st.integers(1, 999))
def test_no_part_of_a_higher_limit_is_smaller(limit: int, more: int, counters: int) -> None:
    """What was granted by the parts of before, and what is by those of now, is never more than the higher limit."""
    assert all(part(limit, number, counters) <= part(limit + more, number, counters) for number in range(counters))


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=4), st.integers(1, 300))
def test_some_counter_grants_however_low_a_limit_is(limits: list[int], counters: int) -> None:
    tiers = [{"limit": limit, "period": 1_000 + number} for number, limit in enumerate(limits)]
    found = granting(tiers, counters)
    assert counters - 1 in found
    for number in found:
        assert all(tier["limit"] >= 1 for tier in parts(tiers, number, counters))


def test_the_number_is_written_once_and_a_quota_in_use_keeps_its_own() -> None:
    store = Store(table(), "table")
    assert store.begin(40) == 40
    assert store.begin(7) == 40, "a later deployment"
    store = Store(table(), "table")
    store.number_pages({1: 3})
    assert store.begin(40) == 1, "it was used before there were several"


def test_the_construct_and_the_dispatcher_agree_on_how_many_calls_it_has_in_flight() -> None:
    assert replace(SETTINGS, parallelism=10_000).hands == MOST_HANDS
    assert replace(SETTINGS, parallelism=7).hands == 7


def test_the_settings_of_a_counter_are_its_own() -> None:
    settings = replace(SETTINGS, tiers=[{"limit": 10, "period": 1_000}], parallelism=50, counters=3)
    one, two = settings.divided(3, 1), settings.divided(3, 2)
    assert (one.tiers, two.tiers) == ([{"limit": 3, "period": 1_000}], [{"limit": 4, "period": 1_000}])
    assert (one.lanes["arn:queue"], two.first) == ([1_001, 1_002], [2_000])
    assert one.parallelism == 17
    assert one.all_tiers == settings.all_tiers, "a deployment is known by the whole tiers"
    assert settings.divided(1, 0).parallelism == 50
    fast = replace(settings, tiers=[{"limit": 900, "period": 1_000}, {"limit": 60_000, "period": 60_000}])
    assert (one.batch, fast.divided(3, 0).batch, settings.divided(1, 0).batch) == (10, 600, None)


@pytest.mark.parametrize(
    "change", [{"ordered": True}, {"key": "$.tenant"}, {"tiers": [{"limit": 9, "period": 1_000, "weight": "$.tokens"}]}]
)
def test_what_cannot_be_divided_on_a_table_that_is_fails_loudly(change: dict[str, Any]) -> None:
    settings = replace(SETTINGS, **change)
    assert settings.divided(1, 0)
    with pytest.raises(ValueError, match="Crm began with 40 counters: order, keys and weights need one"):
        settings.divided(40, 3)


def test_what_a_provider_says_is_divided_too() -> None:
    assert Told(1_000, 5, limit=10_000).divided(0, 40, 500) == Told(25, 5, limit=250, uneven=500)


def settings_of(template: Template) -> dict[str, Any]:
    """Return what the dispatcher is told, without names."""
    (dispatcher,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "quota_dispatcher.dispatcher.handler"}}
    ).values()
    variable = dispatcher["Properties"]["Environment"]["Variables"]["BREAKWATER_QUOTA"]
    text = "".join(piece if isinstance(piece, str) else "x" for piece in variable["Fn::Join"][1])
    return json.loads(text)


def quota_of(
    stack: cdk.Stack, code: dict[str, Any], tiers: list[QuotaTier], **options: Any
) -> QuotaThrottledInvocation:
    environments = options.pop("environments", None)
    function = lambda_.Function(
        stack, "Caller", **code, timeout=Duration.seconds(3), reserved_concurrent_executions=environments
    )
    return QuotaThrottledInvocation(stack, "Crm", function=function, tiers=tiers, **options)


@pytest.mark.parametrize(
    ("limit", "options", "counters", "parallelism"),
    [
        (250, {}, 1, 100),
        (251, {}, 2, 200),
        (10_000, {}, 40, 4_000),
        (10_000, {"parallelism": 99_900}, 999, 99_900),
        (10_000, {"environments": 50}, 5, 50),
        (10_000, {"parallelism": 25}, 2, 25),
        (20, {"parallelism": 900}, 2, 900),
        (10_000, {"ordered": True}, 1, 100),
        (10_000, {"key": "$.tenant", "key_tiers": [QuotaTier(limit=1, period=SECOND)]}, 1, 100),
    ],
)
def test_as_many_as_the_rate_and_the_calls_in_flight_need(
    stack: cdk.Stack, code: dict[str, Any], limit: int, options: dict[str, Any], counters: int, parallelism: int
) -> None:
    quota = quota_of(stack, code, [QuotaTier(limit=limit, period=SECOND)], **options)
    assert quota.counters == counters
    template = Template.from_stack(stack)
    settings = settings_of(template)
    assert (settings.get("counters", 1), settings["parallelism"]) == (counters, parallelism)
    mappings = template.find_resources("AWS::Lambda::EventSourceMapping", {"Properties": {"BatchSize": 1}})
    (most,) = (mapping["Properties"]["ScalingConfig"]["MaximumConcurrency"] for mapping in mappings.values())
    assert most == (2 if counters == 1 else 1_000), "as many as it may have begun with"
    Settings(**settings).divided(counters, counters - 1)


def test_the_page_has_forty_of_them(stack: cdk.Stack, code: dict[str, Any]) -> None:
    section = PAGE.partition("## Many calls a second")[2].partition("## ")[0]
    (block,) = (block.partition("```")[0] for block in section.split("```python\n")[1:])
    scope: Any = stack
    caller = lambda_.Function(stack, "Caller", **code, timeout=Duration.seconds(3))
    names = {"QuotaThrottledInvocation": QuotaThrottledInvocation, "QuotaTier": QuotaTier, "Duration": Duration}
    exec(block, {**names, "self": scope, "caller": caller})  # noqa: S102 -- of the documentation
    assert settings_of(Template.from_stack(stack))["counters"] == 40


def test_what_is_weighed_is_not_divided(stack: cdk.Stack, code: dict[str, Any]) -> None:
    tiers = [QuotaTier(limit=1_000, period=SECOND), QuotaTier(limit=10**6, period=SECOND, weight="$.tokens")]
    assert quota_of(stack, code, tiers).counters == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parallelism": 100_000}, "parallelism=100000 is out of range.*from 1 to 99,900"),
        ({"parallelism": 101, "ordered": True}, "from 1 to 100. In order, .* one dispatcher at a time"),
    ],
)
def test_more_calls_in_flight_than_there_can_be_are_refused(
    stack: cdk.Stack, code: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BreakwaterError, match=words):
        quota_of(stack, code, [QuotaTier(limit=10, period=SECOND)], **options)


def test_the_synth_says_how_many_there_are(stack: cdk.Stack, code: dict[str, Any]) -> None:
    quota_of(stack, code, [QuotaTier(limit=1_000, period=SECOND)])
    found = Annotations.from_stack(stack)
    assert found.find_info("/Stack/Crm", Match.string_like_regexp("^4 counters divide the limits"))
    assert not found.find_warning("/Stack/Crm", Match.string_like_regexp("calls a second are granted"))


def test_a_dashboard_shows_the_sum_of_all_however_many_there_are(stack: cdk.Stack, code: dict[str, Any]) -> None:
    quota = quota_of(stack, code, [QuotaTier(limit=1_000, period=SECOND)])
    text = json.dumps([stack.resolve(widget.to_json()) for widget in quota.widgets()]).replace("\\", "")
    for search in (
        """SUM(SEARCH('Namespace="Breakwater" MetricName="Backlog" Quota="Stack/Crm"', 'Maximum', 60))""",
        """SUM(SEARCH('Namespace="Breakwater" MetricName="Used" Quota="Stack/Crm" Tier="rolling:1000"', """,
    ):
        assert search in text
