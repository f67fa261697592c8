"""What the routes to a function need together: given rates first, the rest for those that follow by Little's law."""

from __future__ import annotations

from math import ceil
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_apigatewayv2_integrations import HttpUrlIntegration
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_breakwater import ApiProtocol, BreakwaterError, DecoupledInvocation, InvocationSource, ThrottledApi
from cdk_breakwater.throttled_api.function_load import FunctionLoad
from cdk_breakwater.throttled_api.throttle import Throttle

from .conftest import Functions, Limits, derived, http_limits, rest_limits, root_limits

MILLIS_200 = cdk.Duration.millis(200)


def test_a_given_rate_leaves_less_for_the_rest(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, expected_duration=MILLIS_200)
    api.add_route("GET", "/reports", rate_limit=5, expected_duration=cdk.Duration.seconds(2))
    # 6 are left by the rate. Its burst has half of them, and what follows has the rest.
    assert rest_limits(stack) == {"* /*": derived(3, 0.2, beside_root=True), "GET reports": Limits(5, 3)}


def test_a_given_burst_leaves_less_for_the_rest(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, expected_duration=MILLIS_200)
    api.add_route("GET", "/reports", rate_limit=5, burst_limit=4)
    assert rest_limits(stack) == {"* /*": derived(16 - 5 * 0.2 - 4, 0.2, beside_root=True), "GET reports": Limits(5, 4)}


def test_bursts_beside_given_rates_divide_what_these_leave(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=20, expected_duration=MILLIS_200)
    api.add_route("GET", "/search", rate_limit=20)
    api.add_route("GET", "/reports", rate_limit=5, burst_limit=1)
    assert rest_limits(stack) == {"* /*": Limits(20, 3), "GET search": Limits(20, 3), "GET reports": Limits(5, 1)}


def test_more_routes_than_the_function_may_run_are_spoken_of(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.reports, expected_duration=MILLIS_200, proxy=False)
    for number in range(9):
        api.add_route("GET", f"/{number}")
    Annotations.from_stack(stack).has_warning("/Stack/Api", Match.string_like_regexp("1 by GET /0 .* at once, 9 with"))


def test_the_root_is_a_method_of_its_own_and_takes_from_the_rest(stack: cdk.Stack, functions: Functions) -> None:
    ThrottledApi(stack, "Api", function=functions.orders, expected_duration=MILLIS_200)
    whole = derived(16, 0.2)
    (root,) = root_limits(stack)
    assert root == Limits(pytest.approx(0.1 * (16 / 16) * rest_limits(stack)["* /*"].rate / 0.9), 1)
    assert rest_limits(stack)["* /*"].rate + root.rate == whole.rate
    assert rest_limits(stack)["* /*"].burst + root.burst == whole.burst


def test_beside_a_given_rate_the_root_has_a_tenth(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=50, burst_limit=30)
    assert root_limits(stack) == {Limits(5, 3)}
    assert rest_limits(stack) == {"* /*": Limits(50, 30)}
    assert api.throttle.rate_limit == 50


def test_a_route_at_the_root_has_its_own_limits(stack: cdk.Stack, functions: Functions) -> None:
    ThrottledApi(stack, "Api", function=functions.orders, rate_limit=50).add_route("POST", "/", rate_limit=7)
    assert root_limits(stack) == {Limits(7, 4), Limits(5, 1)}  # a quarter of 16 each, since no duration is known


def test_refusing_late_lets_in_what_the_function_can_do_at_best(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(
        stack, "Api", function=functions.orders, expected_duration=MILLIS_200, refuse="late", proxy=False
    )
    api.add_route("GET", "/reports", function=functions.reports, expected_duration=cdk.Duration.seconds(2))
    # What another API before the same function lets in early takes nothing from that.
    ThrottledApi(stack, "Early", function=functions.reports, rate_limit=1, protocol=ApiProtocol.HTTP)
    assert rest_limits(stack) == {"* /*": Limits(80, 16), "GET reports": Limits(4, 8)}


def test_a_given_burst_beyond_the_function_is_spoken_of(stack: cdk.Stack, functions: Functions) -> None:
    ThrottledApi(stack, "Api", function=functions.orders, rate_limit=10, burst_limit=17)
    ThrottledApi(stack, "Late", function=functions.reports, rate_limit=10, burst_limit=17, refuse="late")
    found = Annotations.from_stack(stack).find_warning(
        "*", Match.string_like_regexp("17 by the API of Stack/Api at once, 17 with what")
    )
    assert [warning.id for warning in found] == ["/Stack/Api"]


def test_limits_of_the_l2_do_not_win_silently(stack: cdk.Stack, functions: Functions) -> None:
    for name, options in (
        ("Stage", apigateway.StageOptions(throttling_rate_limit=10_000)),
        ("Burst", apigateway.StageOptions(throttling_burst_limit=10_000)),
        (
            "Method",
            apigateway.StageOptions(
                method_options={"/*/*": apigateway.MethodDeploymentOptions(throttling_rate_limit=10_000)}
            ),
        ),
    ):
        with pytest.raises(BreakwaterError, match=f"Stack/{name}: deploy_options has .*Give rate_limit"):
            ThrottledApi(stack, name, function=functions.orders, rate_limit=5, deploy_options=options)


@pytest.mark.parametrize(("protocol", "longest"), [("REST", 29), ("HTTP", 30)])
def test_no_request_lasts_longer_than_api_gateway_waits_or_than_the_function(
    stack: cdk.Stack, functions: Functions, code: dict[str, Any], protocol: Any, longest: int
) -> None:
    slow = lambda_.Function(stack, "Slow", timeout=cdk.Duration.minutes(1), reserved_concurrent_executions=4, **code)

    def make(seconds: int, function: lambda_.Function) -> ThrottledApi:
        duration = cdk.Duration.seconds(seconds)
        return ThrottledApi(
            stack, f"{function.node.id}{seconds}", function=function, expected_duration=duration, protocol=protocol
        )

    api = make(longest, slow)
    assert api.protocol is ApiProtocol[protocol]
    assert (api.rest_api is None) == (protocol == "HTTP")
    with pytest.raises(BreakwaterError, match=rf"is {longest + 1} s, .*gives up .* after {longest} s"):
        make(longest + 1, slow)
    with pytest.raises(
        BreakwaterError, match=r"Stack/Orders4: the API: expected_duration is 4 s, .* after 3 s\. Raise"
    ):
        make(4, functions.orders)


def test_more_than_the_account_is_granted_is_said(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, expected_duration=cdk.Duration.millis(1))
    api.add_route("GET", "/reports", function=functions.reports, rate_limit=10_000)
    found = Annotations.from_stack(stack).find_info(
        "*", Match.string_like_regexp("accepts 10,000 .* for all APIs of an")
    )
    assert [(info.id, "Stack/Orders can answer 10,570 requests" in str(info.entry.data)) for info in found] == [
        ("/Stack/Api", True)
    ]


def test_words_that_are_unknown(stack: cdk.Stack, functions: Functions) -> None:
    for name, options in (("Protocol", {"protocol": "SOAP"}), ("Refuse", {"refuse": "never"})):
        given: dict[str, Any] = options
        with pytest.raises(BreakwaterError, match=rf"Stack/{name}: {name.lower()}='.*' is unknown"):
            ThrottledApi(stack, name, function=functions.orders, rate_limit=5, **given)


def test_routes_without_a_rate_divide_the_function_evenly(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, expected_duration=MILLIS_200)
    api.add_route("GET", "/search", expected_duration=cdk.Duration.seconds(2))
    api.add_route("POST", "/orders", burst_limit=3)
    assert rest_limits(stack) == {
        "* /*": derived(16 / 3, 0.2, beside_root=True),
        "GET search": derived(16 / 3, 2),
        "POST orders": Limits(derived(16 / 3, 0.2).rate, 3),
    }


def test_each_function_has_limits_from_its_own_share(stack: cdk.Stack, functions: Functions) -> None:
    for protocol in ApiProtocol:
        ThrottledApi(stack, protocol.value, function=functions.orders, rate_limit=8, protocol=protocol).add_route(
            "GET", "/reports", function=functions.reports, expected_duration=cdk.Duration.seconds(2)
        )
    # Two APIs before one function: half of its 8 each; of 16 also, and half of that since the duration is not known.
    assert rest_limits(stack) == {"* /*": Limits(8, 4), "GET reports": derived(4, 2)}
    assert http_limits(stack) == {"$default": Limits(8, 4), "GET /reports": derived(4, 2)}


def test_an_alias_takes_from_the_share_of_its_function(stack: cdk.Stack, functions: Functions) -> None:
    live: Any = functions.orders.add_alias("live")
    api = ThrottledApi(stack, "Api", function=functions.orders, expected_duration=MILLIS_200)
    api.add_route("GET", "/live", function=live, expected_duration=MILLIS_200)
    assert rest_limits(stack) == {"* /*": derived(8, 0.2, beside_root=True), "GET live": derived(8, 0.2)}


def test_an_api_of_routes_alone_keeps_nothing_for_others(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, expected_duration=MILLIS_200, proxy=False)
    api.add_route("GET", "/orders")
    assert rest_limits(stack) == {"* /*": derived(16, 0.2), "GET orders": derived(16, 0.2)}


def test_given_rates_beyond_the_function_are_reported_with_their_numbers(
    stack: cdk.Stack, functions: Functions
) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=50, expected_duration=MILLIS_200)
    api.add_route("GET", "/search", rate_limit=20, expected_duration=cdk.Duration.millis(500))
    api.add_route(
        "GET", "/reports", rate_limit=4, expected_duration=cdk.Duration.seconds(2), function=functions.reports
    )
    Annotations.from_stack(stack).has_warning(
        "/Stack/Api",
        Match.string_like_regexp(
            r"the API of Stack/Api, 50 requests per second of 0\.2 s each; GET /search of Stack/Api, 20 requests per "
            r"second of 0\.5 s each need a concurrency of 20 \(Little's law\), and that of Stack/Orders is 16.*0\.8 of"
        ),
    )
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("Little's law"))
    assert len(found) == 1, "the reports need exactly what they have"


def test_nothing_left_fails_the_synth(app: cdk.App, stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, expected_duration=MILLIS_200)
    api.add_route("GET", "/search", rate_limit=8, expected_duration=cdk.Duration.seconds(2))
    with pytest.raises(RuntimeError, match=r"need a concurrency of 16 .* nothing is left for the API of Stack/Api"):
        app.synth()


@pytest.mark.parametrize("limits", [{"rate_limit": 5}, {"expected_duration": MILLIS_200}])
def test_an_api_beside_a_queue_is_reported(stack: cdk.Stack, functions: Functions, limits: dict[str, Any]) -> None:
    ThrottledApi(stack, "Api", function=functions.orders, **limits)
    ThrottledApi(stack, "Other", function=functions.reports, **limits)
    DecoupledInvocation(stack, "Jobs", function=functions.orders, source=InvocationSource.sqs())
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("event source mappings that may"))
    assert [warning.id for warning in found] == ["/Stack/Api"]


def test_functions_and_apis_of_different_stacks(app: cdk.App, stack: cdk.Stack, functions: Functions) -> None:
    for protocol in ApiProtocol:
        here = cdk.Environment(account=stack.account, region=stack.region)
        other = cdk.Stack(app, protocol.value.title(), env=here)
        api = ThrottledApi(
            other, "Api", function=functions.orders, rate_limit=8, expected_duration=MILLIS_200, protocol=protocol
        )
        api.add_route("GET", "/reports", function=functions.reports, rate_limit=1)
    synthesized = app.synth()
    assert {name.stack_name for name in synthesized.stacks} == {"Stack", "Rest", "Http"}
    assert rest_limits(app.node.find_child("Rest")) == {"* /*": Limits(8, 6), "GET reports": Limits(1, 1)}


def test_what_is_no_function_takes_nothing_from_one(stack: cdk.Stack, functions: Functions) -> None:
    mock = apigateway.MockIntegration()
    elsewhere = HttpUrlIntegration("Elsewhere", "https://status.example.net")
    for protocol, integration in ((ApiProtocol.REST, mock), (ApiProtocol.HTTP, elsewhere)):
        api = ThrottledApi(stack, protocol.value, function=functions.orders, rate_limit=8, protocol=protocol)
        api.add_route("GET", "/status", rate_limit=100, integration=integration)
        api.add_route("GET", "/orders", expected_duration=MILLIS_200)
        with pytest.raises(BreakwaterError, match=r"GET /other has an integration of its own, and no function"):
            api.add_route("GET", "/other", integration=integration)
    # Of 16, two given rates of no known duration have bursts of 2 each; two routes divide what is left.
    assert rest_limits(stack)["GET orders"] == http_limits(stack)["GET /orders"] == derived(6, 0.2)
    assert rest_limits(stack)["GET status"] == http_limits(stack)["GET /status"] == Limits(100, 100)


class TestErrors:
    def test_a_route_to_another_function_needs_its_duration(self, stack: cdk.Stack, functions: Functions) -> None:
        api = ThrottledApi(stack, "Api", function=functions.orders, expected_duration=MILLIS_200)
        with pytest.raises(BreakwaterError, match=r"GET /reports: neither rate_limit nor expected_duration"):
            api.add_route("GET", "/reports", function=functions.reports)

    def test_a_duration_that_is_none(self, stack: cdk.Stack, functions: Functions) -> None:
        api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=1)
        with pytest.raises(BreakwaterError, match=r"expected_duration must be a known time above 0 \(given"):
            api.add_route("GET", "/reports", rate_limit=1, expected_duration=cdk.Duration.millis(0))


class _Concurrency:
    mappings = 0

    def __init__(self, function: cdk.Stack, granted: int) -> None:
        self.function = function
        self._granted = granted

    def resolve(self) -> int:
        return self._granted


seconds = st.floats(0.01, 900)


@settings(max_examples=25)  # each makes a stack, which asks Node
@given(
    st.integers(2, 1000),
    st.lists(st.tuples(st.floats(0.01, 100), seconds, st.none() | st.integers(1, 100)), max_size=4),
    st.lists(seconds, min_size=1, max_size=4),
)
def test_what_is_derived_never_exceeds_the_function(
    granted: int, given_routes: list[tuple[float, float, int | None]], durations: list[float]
) -> None:
    stack = cdk.Stack()
    load = FunctionLoad(_Concurrency(stack, granted))
    limits = [
        (load.add_given(stack, "given", Throttle.given(stack, "given", rate, burst), each, burst_limit=burst), each)
        for rate, each, burst in given_routes
    ] + [(load.add_derived(stack, "derived", None, each), each) for each in durations]
    needed = sum(rate * each for rate, each, _ in given_routes)
    if needed >= granted:
        assert load.check(stack)
        return
    assert load.check(stack) == []
    loads = [stack.resolve(throttle.rate_limit) * each for throttle, each in limits]
    assert sum(loads) < granted
    bursts = [stack.resolve(throttle.burst_limit) for throttle, _ in limits]
    # A route that was idle lets its burst in, and one request after the other until the first of them is done.
    at_once = sum(burst + max(0, ceil(round(each, 6)) - 1) for each, burst in zip(loads, bursts, strict=True))
    assert at_once <= granted or Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("at once"))
