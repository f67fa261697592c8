"""An API that the app made by itself gets limits in place: only its stage's settings change."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk.assertions import Template
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

from cdk_breakwater import BreakwaterError, ThrottledApi

from .conftest import Functions, Limits, derived, http_limits, rest_limits

MILLIS_200 = cdk.Duration.millis(200)


def rest_api(stack: cdk.Stack, functions: Functions, **options: Any) -> apigateway.RestApi:
    api = apigateway.RestApi(stack, "Theirs", **options)
    for path in ("orders", "reports"):
        api.root.add_resource(path).add_method("GET", apigateway.LambdaIntegration(functions.orders))
    return api


def http_api(stack: cdk.Stack, functions: Functions, **options: Any) -> apigatewayv2.HttpApi:
    api = apigatewayv2.HttpApi(stack, "Theirs", **options)
    for path in ("/orders", "/reports"):
        api.add_routes(path=path, integration=HttpLambdaIntegration(path, functions.orders))
    return api


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    old, new = before["Resources"], after["Resources"]
    assert old.keys() == new.keys()
    return {new[name]["Type"] for name in old if old[name] != new[name]}


@pytest.mark.parametrize("make", [rest_api, http_api])
def test_only_the_stage_changes(code: dict[str, Any], make: Any) -> None:
    found = []
    for limited in (False, True):
        stack = cdk.Stack()
        functions = Functions.of(stack, code)
        api = make(stack, functions)
        if limited:
            ThrottledApi.limit(api, function=functions.orders, expected_duration=MILLIS_200)
        found.append(Template.from_stack(stack).to_json())
    assert changed(*found) in ({"AWS::ApiGateway::Stage"}, {"AWS::ApiGatewayV2::Stage"})


def test_what_is_derived_is_divided_by_the_methods(stack: cdk.Stack, functions: Functions) -> None:
    ThrottledApi.limit(rest_api(stack, functions), function=functions.orders, expected_duration=MILLIS_200)
    whole = derived(16, 0.4)
    assert rest_limits(stack) == {"* /*": Limits(whole.rate, 2)}


def test_an_http_api(stack: cdk.Stack, functions: Functions) -> None:
    ThrottledApi.limit(http_api(stack, functions), function=functions.orders, expected_duration=MILLIS_200)
    assert http_limits(stack) == {"$default": Limits(derived(16, 0.4).rate, 2)}


def test_what_is_given_holds_for_each_and_methods_keep_their_own(stack: cdk.Stack, functions: Functions) -> None:
    options = apigateway.StageOptions(
        metrics_enabled=True,
        method_options={
            "/orders/GET": apigateway.MethodDeploymentOptions(throttling_rate_limit=3, throttling_burst_limit=2),
            "/reports/GET": apigateway.MethodDeploymentOptions(data_trace_enabled=True),
        },
    )
    api = rest_api(stack, functions, deploy_options=options)
    ThrottledApi.limit(api, function=functions.orders, rate_limit=20, burst_limit=5)
    assert rest_limits(stack) == {"* /*": Limits(20, 5), "GET orders": Limits(3, 2), "GET reports": Limits(20, 5)}
    Template.from_stack(stack).resource_count_is("AWS::ApiGateway::RestApi", 1)


def test_what_cannot_be_limited(stack: cdk.Stack, functions: Functions) -> None:
    limits: dict[str, Any] = {"function": functions.orders, "rate_limit": 5}
    api = rest_api(stack, functions)
    ThrottledApi.limit(api, **limits)
    with pytest.raises(BreakwaterError, match="Stack/Theirs: it has limits already"):
        ThrottledApi.limit(api, **limits)
    options = apigateway.StageOptions(throttling_rate_limit=7)
    theirs = apigateway.RestApi(stack, "Limited", deploy_options=options)
    with pytest.raises(BreakwaterError, match="Stack/Limited: its deploy_options have throttling_rate_limit"):
        ThrottledApi.limit(theirs, **limits)
    with pytest.raises(BreakwaterError, match=r"Stack/Undeployed: it has no stage of its own \(deploy=False\)"):
        ThrottledApi.limit(apigateway.RestApi(stack, "Undeployed", deploy=False), **limits)
    without = apigatewayv2.HttpApi(stack, "Without", create_default_stage=False)
    with pytest.raises(BreakwaterError, match="Stack/Without: it has no default stage"):
        ThrottledApi.limit(without, **limits)
    imported: Any = apigateway.RestApi.from_rest_api_id(stack, "Imported", "a1b2c3")
    with pytest.raises(BreakwaterError, match="Stack/Imported: it is imported"):
        ThrottledApi.limit(imported, **limits)


def test_an_api_of_a_definition_takes_what_is_given(stack: cdk.Stack, functions: Functions) -> None:
    definition = apigateway.ApiDefinition.from_inline({"openapi": "3.0.1", "info": {"title": "Theirs"}, "paths": {}})
    api = apigateway.SpecRestApi(stack, "Theirs", api_definition=definition)
    with pytest.raises(BreakwaterError, match=r"Stack/Theirs: its methods are in its definition.* Pass rate_limit=…"):
        ThrottledApi.limit(api, function=functions.orders, expected_duration=MILLIS_200)
    ThrottledApi.limit(api, function=functions.orders, rate_limit=20, burst_limit=5)
    assert rest_limits(stack) == {"* /*": Limits(20, 5)}


def test_a_websocket_api_is_limited_on_its_stage(stack: cdk.Stack, functions: Functions) -> None:
    api: Any = apigatewayv2.WebSocketApi(stack, "Theirs")
    with pytest.raises(BreakwaterError, match=r"Stack/Theirs: it is a WebSocketApi.* WebSocketStage throttle=…"):
        ThrottledApi.limit(api, function=functions.orders, rate_limit=20)


@pytest.mark.parametrize("protocol", ["REST", "HTTP"])
def test_a_route_is_handed_back(stack: cdk.Stack, functions: Functions, protocol: Any) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=5, protocol=protocol)
    route = api.add_route("GET", "/reports", rate_limit=1)
    kind = apigateway.Method if protocol == "REST" else apigatewayv2.HttpRoute
    assert isinstance(route, kind)
