"""No more calls at once than the template reserves environments for the function, whoever had the last word."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import ConnectionBudget, QuotaThrottledInvocation, QuotaTier
from tests.unit.quota.test_quota_throttled_invocation import settings_of

FAST = [QuotaTier(limit=50, period=Duration.seconds(1))]


def function_of(stack: cdk.Stack, code: dict[str, Any], reserved: int | None = None) -> lambda_.Function:
    return lambda_.Function(stack, "Caller", **code, reserved_concurrent_executions=reserved)


def in_flight(stack: cdk.Stack) -> tuple[int, list[str]]:
    """Return the calls in flight, and what the synth says of them."""
    found = Annotations.from_stack(stack).find_warning("/Stack/Crm", Match.any_value())
    return settings_of(Template.from_stack(stack))["parallelism"], [str(each.entry.data) for each in found]


@pytest.mark.parametrize("guarded", [False, True])
def test_a_share_counts_when_everybody_has_joined(stack: cdk.Stack, code: dict[str, Any], guarded: bool) -> None:
    budget = ConnectionBudget(stack, "Budget", max_connections=40, guard_deployments=guarded)
    share, function = budget.share("caller"), function_of(stack, code)
    share.limit(function, overlap=False)
    QuotaThrottledInvocation(stack, "Crm", function=function.current_version, tiers=FAST)
    alone = share.resolve()
    budget.share("other", weight=5)
    parallelism, (warning,) = in_flight(stack)
    assert parallelism == share.resolve() < alone
    assert f"with {parallelism} at once" in warning, "the rate is of these as well"


def test_what_is_reserved_after_the_quota_counts(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = function_of(stack, code, 20)
    QuotaThrottledInvocation(stack, "Crm", function=function, tiers=FAST)
    resource: Any = function.node.default_child
    resource.add_property_override("ReservedConcurrentExecutions", 3)
    parallelism, (warning,) = in_flight(stack)
    assert parallelism == 3
    assert "with 3 at once" in warning


def test_what_is_given_stays_and_the_warning_says_what_would_be_right(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = function_of(stack, code, 60)
    QuotaThrottledInvocation(stack, "Crm", function=function, tiers=FAST, parallelism=50)
    resource: Any = function.node.default_child
    resource.reserved_concurrent_executions = 40
    parallelism, (warning,) = in_flight(stack)
    assert parallelism == 50
    assert "50 is more than the 40 reserved environments of Stack/Caller" in warning
    assert "Give parallelism=40." in warning


def test_counters_that_have_too_few_environments_are_named(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = function_of(stack, code)
    tiers = [QuotaTier(limit=1_000, period=Duration.seconds(1))]
    quota = QuotaThrottledInvocation(stack, "Crm", function=function, tiers=tiers)
    resource: Any = function.node.default_child
    resource.reserved_concurrent_executions = 25
    parallelism, warnings = in_flight(stack)
    assert (quota.counters, parallelism) == (4, 25)
    assert any("4 counters share the 25 reserved" in each and "Give parallelism=25" in each for each in warnings)
    again = QuotaThrottledInvocation(
        stack, "Again", function=function_of(cdk.Stack(), code), tiers=tiers, parallelism=25
    )
    assert again.counters == 2, "which is enough for none of them"


def test_a_function_that_nobody_can_invoke_is_named(stack: cdk.Stack, code: dict[str, Any]) -> None:
    QuotaThrottledInvocation(stack, "Crm", function=function_of(stack, code, 0), tiers=FAST)
    _, (warning, *_) = in_flight(stack)
    assert (
        "0 environments are reserved for Stack/Caller, so Lambda refuses every invocation: nothing is ever" in warning
    )
