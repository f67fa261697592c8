"""What a quota assumes of its function is so in the template, whoever had the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_breakwater import BreakwaterError, QuotaThrottledInvocation
from tests.unit.quota.test_quota_throttled_invocation import TIERS, caller, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable


@jsii.implements(cdk.IAspect)
class Timeouts:
    """Sets the timeout of a function made by the user."""

    def visit(self, node: Any) -> None:
        if isinstance(node, lambda_.CfnFunction) and "Crm" not in node.node.path:
            node.timeout = 600


def by_property(function: lambda_.Function) -> None:
    resource: Any = function.node.default_child
    resource.timeout = 600


def by_override(function: lambda_.Function) -> None:
    resource: Any = function.node.default_child
    resource.add_property_override("Timeout", 600)


def by_aspect(function: lambda_.Function) -> None:
    aspect: Any = Timeouts()
    cdk.Aspects.of(function).add(aspect)


def by_parameter(function: lambda_.Function) -> None:
    resource: Any = function.node.default_child
    resource.timeout = cdk.CfnParameter(cdk.Stack.of(function), "Timeout", type="Number").value_as_number


@pytest.mark.parametrize("change", [by_property, by_override, by_aspect, by_parameter])
def test_a_timeout_that_is_raised_after_the_quota_fails_the_synth(
    stack: cdk.Stack, code: dict[str, Any], change: Callable[[lambda_.Function], None]
) -> None:
    function = caller(stack, code)
    QuotaThrottledInvocation(stack, "Crm", function=function.current_version, tiers=TIERS)
    change(function)
    said = "a token" if change is by_parameter else "600 s"
    words = f"Stack/Crm.*timeout of Stack/Caller is {said} in the template, and was 10 s when the quota was made"
    with pytest.raises(RuntimeError, match=words):
        Template.from_stack(stack)


@pytest.mark.parametrize("change", [by_property, by_override])
def test_a_timeout_that_is_changed_before_the_quota_counts(
    stack: cdk.Stack, code: dict[str, Any], change: Callable[[lambda_.Function], None]
) -> None:
    function = caller(stack, code)
    change(function)
    QuotaThrottledInvocation(stack, "Crm", function=function, tiers=TIERS)
    assert settings_of(Template.from_stack(stack))["longest_call"] == 614_000


def test_a_timeout_that_is_lowered_is_within_what_was_promised(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = caller(stack, code, seconds=700)
    QuotaThrottledInvocation(stack, "Crm", function=function, tiers=TIERS)
    by_property(function)
    assert settings_of(Template.from_stack(stack))["longest_call"] == 714_000


def test_no_timeout_is_too_long_by_another_way(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = caller(stack, code)
    resource: Any = function.node.default_child
    resource.add_property_override("Timeout", 827)
    with pytest.raises(BreakwaterError, match=r"timeout of 827 s is longer .* 826 s at most"):
        QuotaThrottledInvocation(stack, "Crm", function=function, tiers=TIERS)
