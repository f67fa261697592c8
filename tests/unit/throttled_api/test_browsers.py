"""Pages of other origins: preflights pass without a signature, and a refusal can be read."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk.assertions import Template

from cdk_breakwater import ApiProtocol, ThrottledApi

from .conftest import Functions

SHOP, OFFICE = "https://shop.example.net", "https://office.example.net"


def rest(stack: cdk.Stack, functions: Functions, cors: apigateway.CorsOptions | dict[str, Any] | None) -> Template:
    options: dict[str, Any] = {"default_cors_preflight_options": cors} if cors else {}
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=5, **options)
    api.add_client("partner", rate_limit=1)
    return Template.from_stack(stack)


def refusal_headers(template: Template) -> dict[str, dict[str, str]]:
    responses = template.find_resources("AWS::ApiGateway::GatewayResponse").values()
    return {
        response["Properties"]["ResponseType"]: {
            name.removeprefix("gatewayresponse.header."): value
            for name, value in response["Properties"]["ResponseParameters"].items()
        }
        for response in responses
    }


def test_a_rest_apis_preflights_need_neither_signature_nor_key(stack: cdk.Stack, functions: Functions) -> None:
    template = rest(stack, functions, apigateway.CorsOptions(allow_origins=[SHOP]))
    methods = [method["Properties"] for method in template.find_resources("AWS::ApiGateway::Method").values()]
    preflights = [method for method in methods if method["HttpMethod"] == "OPTIONS"]
    assert len(preflights) == 2
    assert {(method["AuthorizationType"], method.get("ApiKeyRequired", False)) for method in preflights} == {
        ("NONE", False)
    }
    others = [method for method in methods if method["HttpMethod"] != "OPTIONS"]
    assert {(method["AuthorizationType"], method["ApiKeyRequired"]) for method in others} == {("AWS_IAM", True)}


@pytest.mark.parametrize("cors", [apigateway.CorsOptions(allow_origins=[SHOP]), {"allow_origins": [SHOP]}])
def test_a_page_can_read_that_it_was_refused(
    stack: cdk.Stack, functions: Functions, cors: apigateway.CorsOptions | dict[str, Any]
) -> None:
    headers = refusal_headers(rest(stack, functions, cors))
    readable = {
        "Access-Control-Allow-Origin": f"'{SHOP}'",
        "Access-Control-Expose-Headers": "'Retry-After'",
        "Vary": "'Origin'",
    }
    assert headers == {
        "THROTTLED": {"Retry-After": "'1'", **readable},
        "QUOTA_EXCEEDED": {"Retry-After": "'3600'", **readable},
        "INTEGRATION_FAILURE": {"Retry-After": "'1'", **readable},
        "DEFAULT_4XX": readable,
        "DEFAULT_5XX": readable,
    }


def test_every_origin(stack: cdk.Stack, functions: Functions) -> None:
    headers = refusal_headers(rest(stack, functions, apigateway.CorsOptions(allow_origins=["*"])))["THROTTLED"]
    assert headers["Access-Control-Allow-Origin"] == "'*'"
    assert "Vary" not in headers


def test_several_origins_and_credentials(stack: cdk.Stack, functions: Functions) -> None:
    cors = apigateway.CorsOptions(allow_origins=[SHOP, OFFICE], allow_credentials=True)
    headers = refusal_headers(rest(stack, functions, cors))["THROTTLED"]
    assert headers["Access-Control-Allow-Origin"] == "method.request.header.Origin"
    assert headers["Access-Control-Allow-Credentials"] == "'true'"


def test_without_cors_nothing_is_added(stack: cdk.Stack, functions: Functions) -> None:
    assert refusal_headers(rest(stack, functions, None)) == {
        "THROTTLED": {"Retry-After": "'1'"},
        "QUOTA_EXCEEDED": {"Retry-After": "'3600'"},
        "INTEGRATION_FAILURE": {"Retry-After": "'1'"},
    }


class TestHttp:
    CORS = apigatewayv2.CorsPreflightOptions(allow_origins=[SHOP], allow_methods=[apigatewayv2.CorsHttpMethod.GET])

    def routes(self, stack: cdk.Stack, functions: Functions, **options: Any) -> dict[str, str]:
        ThrottledApi(
            stack, "Api", function=functions.orders, rate_limit=5, protocol=ApiProtocol.HTTP,
            cors_preflight=self.CORS, **options,
        )  # fmt: skip
        template = Template.from_stack(stack)
        template.has_resource_properties("AWS::ApiGatewayV2::Api", {"CorsConfiguration": {"AllowOrigins": [SHOP]}})
        found = template.find_resources("AWS::ApiGatewayV2::Route").values()
        return {route["Properties"]["RouteKey"]: route["Properties"]["AuthorizationType"] for route in found}

    def test_preflights_pass_the_signature_of_the_default_route(self, stack: cdk.Stack, functions: Functions) -> None:
        assert self.routes(stack, functions) == {
            "$default": "AWS_IAM",
            "OPTIONS /": "NONE",
            "OPTIONS /{proxy+}": "NONE",
        }

    def test_where_nobody_signs_api_gateway_answers_them_itself(self, stack: cdk.Stack, functions: Functions) -> None:
        assert self.routes(stack, functions, acknowledge_no_authorization="a public catalogue") == {"$default": "NONE"}

    def test_without_a_default_route_as_well(self, stack: cdk.Stack, functions: Functions) -> None:
        assert self.routes(stack, functions, proxy=False) == {}
