"""A request that cannot be right costs no invocation."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk.assertions import Template

from cdk_breakwater import ApiProtocol, BreakwaterError, ThrottledApi

from .conftest import Functions

ORDER = apigateway.JsonSchema(
    type=apigateway.JsonSchemaType.OBJECT,
    properties={"article": apigateway.JsonSchema(type=apigateway.JsonSchemaType.STRING)},
    required=["article"],
)


def method(stack: cdk.Stack, verb: str) -> tuple[Template, dict[str, Any]]:
    template = Template.from_stack(stack)
    ((_, found),) = template.find_resources("AWS::ApiGateway::Method", {"Properties": {"HttpMethod": verb}}).items()
    return template, found["Properties"]


def test_a_schema_is_a_model_and_is_enforced(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=5)
    api.add_route("POST", "/orders", rate_limit=1, request_schema=ORDER)
    template, post = method(stack, "POST")
    ((model, described),) = template.find_resources("AWS::ApiGateway::Model").items()
    assert described["Properties"]["Schema"]["required"] == ["article"]
    assert post["RequestModels"] == {"application/json": {"Ref": model}}
    ((validator, _),) = template.find_resources(
        "AWS::ApiGateway::RequestValidator", {"Properties": {"ValidateRequestBody": True}}
    ).items()
    assert post["RequestValidatorId"] == {"Ref": validator}


def test_required_parameters_are_enforced(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=5)
    api.add_route("GET", "/orders", rate_limit=1, request_parameters={"method.request.querystring.id": True})
    assert "RequestValidatorId" in method(stack, "GET")[1]


def test_a_validator_of_ones_own_wins(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=5)
    options = apigateway.RequestValidatorOptions(validate_request_parameters=True, request_validator_name="own")
    api.add_route("POST", "/orders", rate_limit=1, request_schema=ORDER, request_validator_options=options)
    template, post = method(stack, "POST")
    (validator,) = template.find_resources("AWS::ApiGateway::RequestValidator", {"Properties": {"Name": "own"}})
    assert post["RequestValidatorId"] == {"Ref": validator}


def test_without_either_nothing_is_validated(stack: cdk.Stack, functions: Functions) -> None:
    ThrottledApi(stack, "Api", function=functions.orders, rate_limit=5).add_route("GET", "/orders", rate_limit=1)
    assert "RequestValidatorId" not in method(stack, "GET")[1]


def test_an_http_api_validates_nothing(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=5, protocol=ApiProtocol.HTTP)
    with pytest.raises(BreakwaterError, match=r"Stack/Api: POST /orders cannot have a request_schema"):
        api.add_route("POST", "/orders", rate_limit=1, request_schema=ORDER)
