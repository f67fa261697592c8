"""An API before a function: rates from the share, polite refusals, clients and routes of their own."""

from __future__ import annotations

import json
import math
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import ApiProtocol, BreakwaterError, ConnectionBudget, ThrottledApi
from cdk_breakwater.limits.erlang import safe_load

MILLIS_200 = cdk.Duration.millis(200)


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    """A share of 16."""
    function = lambda_.Function(stack, "Reader", **code)
    ConnectionBudget(stack, "Budget", max_connections=20).share("reader").limit(function, overlap=False)
    return function


def stage_settings(stack: cdk.Stack) -> list[dict[str, Any]]:
    """Return those of the stage and of its routes, without those of the root."""
    (stage,) = Template.from_stack(stack).find_resources("AWS::ApiGateway::Stage").values()
    return [setting for setting in stage["Properties"]["MethodSettings"] if setting["ResourcePath"] != "/"]


def test_the_rate_follows_from_the_share(stack: cdk.Stack, function: lambda_.Function) -> None:
    ThrottledApi(stack, "Api", function=function, expected_duration=MILLIS_200)
    (settings,) = stage_settings(stack)
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (
        pytest.approx(0.9 * safe_load(16) / 0.2),
        4,
    )
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")


def test_given_limits_win(stack: cdk.Stack, function: lambda_.Function) -> None:
    ThrottledApi(stack, "Api", function=function, rate_limit=50, burst_limit=100)
    (settings,) = stage_settings(stack)
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (50, 100)


@pytest.mark.parametrize(
    ("rate", "duration", "burst"),
    [(0.5, None, 1), (50, None, 8), (50, MILLIS_200, 6), (100, MILLIS_200, 1), (20, cdk.Duration.millis(1), 15)],
)
def test_a_given_rate_leaves_room_for_its_burst(
    stack: cdk.Stack, function: lambda_.Function, rate: float, duration: cdk.Duration | None, burst: int
) -> None:
    ThrottledApi(stack, "Api", function=function, rate_limit=rate, expected_duration=duration)
    (settings,) = stage_settings(stack)
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (rate, burst)


def test_a_rate_above_the_share_is_reported(stack: cdk.Stack, function: lambda_.Function) -> None:
    ThrottledApi(stack, "Api", function=function, rate_limit=100, expected_duration=MILLIS_200)
    Annotations.from_stack(stack).has_warning(
        "/Stack/Api", Match.string_like_regexp(r"100 requests per second of 0.2 s each need a concurrency of 20.*is 16")
    )


def test_refusals_are_429_with_retry_after(stack: cdk.Stack, function: lambda_.Function) -> None:
    ThrottledApi(stack, "Api", function=function, expected_duration=MILLIS_200)
    template = Template.from_stack(stack)
    for response_type, seconds in (("THROTTLED", "'1'"), ("QUOTA_EXCEEDED", "'3600'")):
        template.has_resource_properties(
            "AWS::ApiGateway::GatewayResponse",
            {
                "ResponseType": response_type,
                "StatusCode": "429",
                "ResponseParameters": {"gatewayresponse.header.Retry-After": seconds},
            },
        )


def test_what_lambda_refuses_is_503_with_retry_after(stack: cdk.Stack, function: lambda_.Function) -> None:
    ThrottledApi(stack, "Api", function=function, expected_duration=MILLIS_200)
    Template.from_stack(stack).has_resource_properties(
        "AWS::ApiGateway::GatewayResponse",
        {
            "ResponseType": "INTEGRATION_FAILURE",
            "StatusCode": "503",
            "ResponseParameters": {"gatewayresponse.header.Retry-After": "'1'"},
        },
    )


@pytest.mark.parametrize("protocol", ApiProtocol)
def test_forty_routes_fit_a_functions_policy(
    stack: cdk.Stack, function: lambda_.Function, protocol: ApiProtocol
) -> None:
    """20 KB of statements, and each names an ARN of the API: one for all routes."""
    api = ThrottledApi(stack, "Api", function=function, rate_limit=100, protocol=protocol)
    for number in range(40):
        api.add_route("GET", f"/a-path-of-some-length/{number}", rate_limit=1)
    Template.from_stack(stack).resource_count_is("AWS::Lambda::Permission", 1)


@pytest.mark.parametrize(("rate", "seconds"), [(5, 1), (1, 1), (0.3, 4)])
def test_retry_after_is_the_time_to_the_next_token(
    stack: cdk.Stack, function: lambda_.Function, rate: float, seconds: int
) -> None:
    ThrottledApi(stack, "Api", function=function, rate_limit=rate)
    Template.from_stack(stack).has_resource_properties(
        "AWS::ApiGateway::GatewayResponse",
        {"ResponseType": "THROTTLED", "ResponseParameters": {"gatewayresponse.header.Retry-After": f"'{seconds}'"}},
    )


@pytest.mark.parametrize("protocol", ApiProtocol)
def test_the_access_log_says_why(stack: cdk.Stack, function: lambda_.Function, protocol: ApiProtocol) -> None:
    ThrottledApi(stack, "Api", function=function, expected_duration=MILLIS_200, protocol=protocol)
    type_, property_ = {
        ApiProtocol.REST: ("AWS::ApiGateway::Stage", "AccessLogSetting"),
        ApiProtocol.HTTP: ("AWS::ApiGatewayV2::Stage", "AccessLogSettings"),
    }[protocol]
    (stage,) = Template.from_stack(stack).find_resources(type_).values()
    access_log = json.loads(stage["Properties"][property_]["Format"])
    assert access_log["refusal"] == "$context.error.responseType"
    assert access_log["integrationStatus"] == "$context.integration.status"
    assert "waf" not in access_log
    # What API Gateway writes as it is, quotation marks and all, would break the line that a metric filter reads.
    # Source: API Gateway Developer Guide, "Variables for access logging"; error.messageString alone is quoted.
    as_it_is = ("message", "integration.error", "authorizer", "userAgent", "$context.path", "Message")
    assert [value for value in access_log.values() if any(part in value for part in as_it_is)] == []


def test_requests_are_traced(stack: cdk.Stack, function: lambda_.Function) -> None:
    ThrottledApi(stack, "Api", function=function, expected_duration=MILLIS_200)
    Template.from_stack(stack).has_resource_properties("AWS::ApiGateway::Stage", {"TracingEnabled": True})


def test_a_route_has_limits_of_its_own_and_the_stages_logging(stack: cdk.Stack, function: lambda_.Function) -> None:
    api = ThrottledApi(stack, "Api", function=function, expected_duration=MILLIS_200)
    api.add_route("GET", "/reports/daily", rate_limit=2)
    stage, route = stage_settings(stack)
    assert route == {
        **stage,
        "HttpMethod": "GET",
        "ResourcePath": "/~1reports~1daily",
        "ThrottlingRateLimit": 2,
        "ThrottlingBurstLimit": 2,
    }
    Template.from_stack(stack).has_resource_properties("AWS::ApiGateway::Resource", {"PathPart": "daily"})


def test_the_paths_of_routes_are_written_as_the_cdk_writes_them(stack: cdk.Stack, function: lambda_.Function) -> None:
    options = {
        f"{path}/GET": apigateway.MethodDeploymentOptions(throttling_rate_limit=1)
        for path in ("/", "/reports", "/reports/daily")
    }
    api = apigateway.RestApi(stack, "Theirs", deploy_options=apigateway.StageOptions(method_options=options))
    api.root.add_method("GET")
    theirs: Any = api.deployment_stage.node.default_child
    ours = ThrottledApi(stack, "Ours", function=function, rate_limit=5, proxy=False)
    for path in ("/", "/reports", "/reports/daily"):
        ours.add_route("GET", path, rate_limit=1)
    assert ours.rest_api is not None
    stage: Any = ours.rest_api.deployment_stage.node.default_child
    assert [setting["resourcePath"] for setting in stack.resolve(stage.method_settings)[1:]] == [
        setting["resourcePath"] for setting in stack.resolve(theirs.method_settings)
    ]


def test_any_is_seven_verbs(stack: cdk.Stack, function: lambda_.Function) -> None:
    ThrottledApi(stack, "Api", function=function, rate_limit=5).add_route("any", "/reports", rate_limit=1)
    _, *routes = stage_settings(stack)
    assert {route["HttpMethod"] for route in routes} == {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}


def test_a_client_has_a_key_a_plan_and_cannot_leave_the_key_out(stack: cdk.Stack, function: lambda_.Function) -> None:
    api = ThrottledApi(stack, "Api", function=function, expected_duration=MILLIS_200)
    quota = apigateway.QuotaSettings(limit=10_000, period=apigateway.Period.DAY)
    api.add_client("partner", rate_limit=5, burst_limit=10, quota=quota)
    api.add_route("GET", "/reports", rate_limit=2)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ApiGateway::UsagePlan",
        {"Throttle": {"RateLimit": 5, "BurstLimit": 10}, "Quota": {"Limit": 10_000, "Period": "DAY"}},
    )
    template.resource_count_is("AWS::ApiGateway::UsagePlanKey", 1)
    methods = template.find_resources("AWS::ApiGateway::Method").values()
    assert [method["Properties"]["ApiKeyRequired"] for method in methods] == [True] * 3


class TestAuthorization:
    def test_is_iams_by_default(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        ThrottledApi(stack, "Api", function=function, rate_limit=1)
        ThrottledApi(stack, "Http", function=function, rate_limit=1, protocol=ApiProtocol.HTTP)
        template = Template.from_stack(stack)
        template.all_resources_properties("AWS::ApiGateway::Method", {"AuthorizationType": "AWS_IAM"})
        template.all_resources_properties("AWS::ApiGatewayV2::Route", {"AuthorizationType": "AWS_IAM"})

    def test_is_nobodys_for_a_reason(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        options: dict[str, Any] = {"rate_limit": 1, "acknowledge_no_authorization": "a public catalogue"}
        ThrottledApi(stack, "Api", function=function, **options)
        ThrottledApi(stack, "Http", function=function, protocol=ApiProtocol.HTTP, **options)
        template = Template.from_stack(stack)
        template.all_resources_properties("AWS::ApiGateway::Method", {"AuthorizationType": "NONE"})
        template.all_resources_properties("AWS::ApiGatewayV2::Route", {"AuthorizationType": "NONE"})

    def test_an_empty_reason_is_none(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/Api: acknowledge_no_authorization is empty"):
            ThrottledApi(stack, "Api", function=function, rate_limit=1, acknowledge_no_authorization=" ")


def test_props_of_the_l2_pass_through(stack: cdk.Stack, function: lambda_.Function) -> None:
    api = ThrottledApi(
        stack,
        "Api",
        function=function,
        rate_limit=3,
        deploy_options=apigateway.StageOptions(stage_name="v1", data_trace_enabled=True),
        description="reads orders",
        proxy=False,
    )
    api.add_route("GET", "/orders", rate_limit=1)
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::ApiGateway::Stage", {"StageName": "v1", "TracingEnabled": True})
    template.has_resource_properties("AWS::ApiGateway::RestApi", {"Description": "reads orders"})
    template.resource_count_is("AWS::ApiGateway::Method", 1)
    assert all(settings["DataTraceEnabled"] for settings in stage_settings(stack))


def test_http(stack: cdk.Stack, function: lambda_.Function) -> None:
    api = ThrottledApi(stack, "Api", function=function, expected_duration=MILLIS_200, protocol=ApiProtocol.HTTP)
    api.add_route("GET", "/reports", rate_limit=2, burst_limit=3)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ApiGatewayV2::Stage",
        {
            "DefaultRouteSettings": {
                "ThrottlingRateLimit": safe_load(12) / 0.2,
                "ThrottlingBurstLimit": 12 - math.ceil(safe_load(12)),
            },
            "RouteSettings": {"GET /reports": {"ThrottlingRateLimit": 2, "ThrottlingBurstLimit": 3}},
        },
    )
    assert api.http_api is not None
    assert api.rest_api is None
    with pytest.raises(BreakwaterError, match=r"Stack/Api: the client 'partner' .*Use protocol=ApiProtocol\.REST"):
        api.add_client("partner", rate_limit=1)


def test_a_function_that_nothing_limits_is_reported(stack: cdk.Stack, code: dict[str, Any]) -> None:
    ThrottledApi(stack, "Api", function=lambda_.Function(stack, "Plain", **code), rate_limit=5)
    (settings,) = stage_settings(stack)
    assert settings["ThrottlingBurstLimit"] == 5
    Annotations.from_stack(stack).has_warning("/Stack/Api", Match.string_like_regexp("no reserved concurrency"))


class TestErrors:
    @pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
    def test_a_rate_not_above_zero(self, stack: cdk.Stack, function: lambda_.Function, rate: float) -> None:
        with pytest.raises(
            BreakwaterError, match=rf"Stack/Api: rate_limit of the API must be above 0 \(given {rate}\)"
        ):
            ThrottledApi(stack, "Api", function=function, rate_limit=rate)

    @pytest.mark.parametrize("options", [{"rate_limit": 5}, {"expected_duration": MILLIS_200}])
    def test_a_burst_below_one(self, stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any]) -> None:
        with pytest.raises(BreakwaterError, match=r"burst_limit of the API must be a whole number of at least 1"):
            ThrottledApi(stack, "Api", function=function, burst_limit=0, **options)

    def test_tokens(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        token = cdk.CfnParameter(stack, "Rate", type="Number").value_as_number
        with pytest.raises(BreakwaterError, match=r"rate_limit of the API is a token"):
            ThrottledApi(stack, "Api", function=function, rate_limit=token)
        with pytest.raises(BreakwaterError, match=r"expected_duration must be a known time"):
            ThrottledApi(stack, "Other", function=function, expected_duration=cdk.Duration.seconds(token))

    def test_neither_rate_nor_duration(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        with pytest.raises(BreakwaterError, match=r"neither rate_limit nor expected_duration.*Duration\.millis"):
            ThrottledApi(stack, "Api", function=function)

    def test_no_share_to_derive_from(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/Plain has no share and no reserved concurrency"):
            ThrottledApi(stack, "Api", function=lambda_.Function(stack, "Plain", **code), expected_duration=MILLIS_200)

    def test_routes_and_clients(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        api = ThrottledApi(stack, "Api", function=function, rate_limit=5)
        with pytest.raises(BreakwaterError, match=r"the path of a route starts with a slash \(given 'reports'\)"):
            api.add_route("GET", "reports", rate_limit=1)
        with pytest.raises(BreakwaterError, match=r"rate_limit of GET /reports must be above 0"):
            api.add_route("GET", "/reports", rate_limit=0)
        with pytest.raises(BreakwaterError, match=r"rate_limit of client 'partner' must be above 0"):
            api.add_client("partner", rate_limit=0)
