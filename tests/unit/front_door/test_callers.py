"""Who may ask, and who may read which answer."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from .doors import NOBODY, method, open_door, text


def test_a_page_of_one_origin_may_read_every_answer(stack: cdk.Stack, function: lambda_.Function) -> None:
    cors = apigateway.CorsOptions(allow_origins=["https://shop.example.net"], allow_credentials=True)
    open_door(stack, function, default_cors_preflight_options=cors)
    template = Template.from_stack(stack)
    post = method(template, "POST")
    expected = {
        "method.response.header.Access-Control-Allow-Origin": "'https://shop.example.net'",
        "method.response.header.Access-Control-Expose-Headers": "'Location,Retry-After'",
        "method.response.header.Access-Control-Allow-Credentials": "'true'",
    }
    for response in post["Integration"]["IntegrationResponses"]:
        assert expected.items() <= response["ResponseParameters"].items()
    for response in post["MethodResponses"]:
        assert expected.keys() <= response["ResponseParameters"].keys()
    handlers = text(template.find_resources("AWS::Lambda::Function"))
    assert '"Access-Control-Allow-Origin":"https://shop.example.net"' in handlers


class TestCallers:
    def rendered(self, stack: cdk.Stack) -> str:
        return text(method(Template.from_stack(stack), "POST")["Integration"]["RequestTemplates"])

    def kind(self, stack: cdk.Stack) -> str:
        template = Template.from_stack(stack)
        handlers = template.find_resources(
            "AWS::Lambda::Function", {"Properties": {"Handler": "front_door.results.handler"}}
        )
        (found,) = handlers.values()
        variables = text(found["Properties"]["Environment"]["Variables"])
        return variables.split('caller":"')[1].split('"')[0]

    def test_sign_by_default(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        open_door(stack, function)
        template = Template.from_stack(stack)
        assert [method(template, verb)["AuthorizationType"] for verb in ("POST", "GET")] == ["AWS_IAM"] * 2
        assert "$!context.identity.caller" in self.rendered(stack)
        assert self.kind(stack) == "IAM"

    def test_are_anyone_for_a_reason(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        open_door(stack, function, **NOBODY)
        template = Template.from_stack(stack)
        assert [method(template, verb)["AuthorizationType"] for verb in ("POST", "GET")] == ["NONE"] * 2
        assert self.kind(stack) == "API_KEY"

    def test_are_those_of_an_authorizer(
        self, stack: cdk.Stack, function: lambda_.Function, code: dict[str, Any]
    ) -> None:
        authorizer: Any = apigateway.TokenAuthorizer(
            stack, "Authorizer", handler=lambda_.Function(stack, "Who", **code)
        )
        open_door(stack, function, default_method_options=apigateway.MethodOptions(authorizer=authorizer))
        template = Template.from_stack(stack)
        assert [method(template, verb)["AuthorizationType"] for verb in ("POST", "GET")] == ["CUSTOM"] * 2
        assert "$!context.authorizer.principalId" in self.rendered(stack)
        assert self.kind(stack) == "AUTHORIZER"

    def test_are_users_of_a_pool(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        authorizer: Any = apigateway.CognitoUserPoolsAuthorizer(
            stack, "Authorizer", cognito_user_pools=[cognito.UserPool(stack, "Pool")]
        )
        open_door(stack, function, default_method_options={"authorizer": authorizer})
        assert "$!context.authorizer.claims.sub" in self.rendered(stack)
        assert self.kind(stack) == "USER_POOL"
