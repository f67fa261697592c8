"""What a quota assumes of its function is so in the template, whoever had the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template
from aws_cdk.aws_s3 import Bucket

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


@pytest.mark.parametrize("name", ["Dispatcher", "Intake"])
def test_the_functions_of_a_quota_keep_their_timeouts(stack: cdk.Stack, code: dict[str, Any], name: str) -> None:
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    function: Any = quota.node.find_child(name)
    by_override(function)
    made = function.timeout.to_seconds()
    with pytest.raises(RuntimeError, match=f"Stack/Crm/{name}.* timeout is 600 s in the template, and was made {made}"):
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


def test_a_function_in_another_region_or_account_is_refused(
    app: cdk.App, stack: cdk.Stack, code: dict[str, Any]
) -> None:
    places = {"Region": ("123456789012", "us-east-1"), "Account": ("210987654321", "eu-central-1")}
    quota = QuotaThrottledInvocation(stack, "Good", function=caller(stack, code), tiers=TIERS)
    for name, (account, region) in places.items():
        other = cdk.Stack(app, name, env=cdk.Environment(account=account, region=region))
        function = lambda_.Function(other, "Caller", **code, function_name="caller")
        words = (
            "it is in account 123456789012, Region eu-central-1, and {path} in "
            f"account {account}, Region {region}: {{why}}"
        )
        with pytest.raises(BreakwaterError, match=words.format(path=function.node.path, why="a dispatcher calls it")):
            QuotaThrottledInvocation(stack, f"Crm{name}", function=function, tiers=TIERS)
        with pytest.raises(BreakwaterError, match=words.format(path=function.node.path, why="it asks for slots")):
            quota.grant_acquire(function)


def test_a_stack_whose_place_is_unknown_is_not_refused(app: cdk.App, stack: cdk.Stack, code: dict[str, Any]) -> None:
    anywhere = lambda_.Function(cdk.Stack(app, "Anywhere"), "Caller", **code, function_name="caller")
    QuotaThrottledInvocation(stack, "Crm", function=anywhere, tiers=TIERS)


def test_the_function_behind_a_quota_has_its_slot_already(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = caller(stack, code)
    quota = QuotaThrottledInvocation(stack, "Crm", function=function.current_version, tiers=TIERS)
    with pytest.raises(BreakwaterError, match="Stack/Crm: Stack/Caller stands behind it, and has a slot"):
        quota.grant_acquire(function)


def test_functions_that_would_wait_for_each_others_deployment_are_refused(
    stack: cdk.Stack, code: dict[str, Any]
) -> None:
    functions = [lambda_.Function(stack, name, **code) for name in ("A", "B", "C")]
    quotas = [QuotaThrottledInvocation(stack, f"Quota{each.node.id}", function=each, tiers=TIERS) for each in functions]
    quotas[1].grant_acquire(functions[0])
    quotas[2].grant_acquire(functions[1])
    Template.from_stack(stack)
    for function in functions[1:]:
        words = f"Stack/QuotaA: Stack/A, which .* takes slots of a quota that {function.node.path} stands behind"
        with pytest.raises(BreakwaterError, match=words):
            quotas[0].grant_acquire(function)
    twin = lambda_.Function(stack, "Twin", **code, role=functions[0].role)
    with pytest.raises(BreakwaterError, match=r"Stack/Twin and Stack/A, .* have the same role Stack/A/ServiceRole"):
        quotas[0].grant_acquire(twin)


def test_a_function_too_old_for_the_runtime_is_named(stack: cdk.Stack, code: dict[str, Any]) -> None:
    old = lambda_.Function(stack, "Old", **code | {"runtime": lambda_.Runtime.PYTHON_3_9})
    QuotaThrottledInvocation(stack, "Crm", function=old, tiers=TIERS)
    words = r"Stack/Old has python3.9, and breakwater_runtime needs python3.10: it gets no layer"
    Annotations.from_stack(stack).has_warning("/Stack/Crm", Match.string_like_regexp(words))


def test_only_functions_with_a_runtime_that_knows_acquire_take_slots(stack: cdk.Stack, code: dict[str, Any]) -> None:
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    for runtime in (lambda_.Runtime.PYTHON_3_9, lambda_.Runtime.NODEJS_24_X):
        other = lambda_.Function(stack, f"Other{runtime.name}", **code | {"runtime": runtime})
        with pytest.raises(BreakwaterError, match=f"Stack/Crm: {other.node.path} has {runtime.name}, and acquire.. is"):
            quota.grant_acquire(other)
    own = lambda_.Function(
        stack,
        "Own",
        code=lambda_.Code.from_bucket(Bucket.from_bucket_name(stack, "Bucket", "bucket"), "key"),
        handler="bootstrap",
        runtime=lambda_.Runtime.PROVIDED_AL2023,
    )
    quota.grant_acquire(own)


def test_a_function_without_room_for_the_layer_is_named(stack: cdk.Stack, code: dict[str, Any]) -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:mine:"
    layers: list[Any] = [lambda_.LayerVersion.from_layer_version_arn(stack, f"L{n}", f"{arn}{n}") for n in range(5)]
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    full = lambda_.Function(stack, "Full", **code, layers=layers)
    words = "the layer with breakwater_runtime cannot be added to Stack/Full: .*5 layers"
    with pytest.raises(BreakwaterError, match=f"Stack/Other: {words}"):
        QuotaThrottledInvocation(stack, "Other", function=full, tiers=TIERS)
    with pytest.raises(BreakwaterError, match=f"Stack/Crm: {words}"):
        quota.grant_acquire(full)
