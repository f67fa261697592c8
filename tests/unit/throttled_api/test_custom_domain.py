"""A domain of the user's own."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_certificatemanager as acm
from aws_cdk.assertions import Template

from cdk_breakwater import ApiProtocol, ThrottledApi

from .conftest import Functions

NAME = "api.example.net"


@pytest.fixture
def certificate(stack: cdk.Stack) -> acm.ICertificate:
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    return acm.Certificate.from_certificate_arn(stack, "Certificate", arn)


@pytest.mark.parametrize(("base_path", "url"), [(None, f"https://{NAME}/"), ("v1", f"https://{NAME}/v1")])
def test_rest(
    stack: cdk.Stack, functions: Functions, certificate: acm.ICertificate, base_path: str | None, url: str
) -> None:
    api = ThrottledApi(
        stack,
        "Api",
        function=functions.orders,
        rate_limit=5,
        domain_name=apigateway.DomainNameOptions(domain_name=NAME, certificate=certificate, base_path=base_path),
        disable_execute_api_endpoint=True,
    )
    assert api.url == url
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::ApiGateway::DomainName", {"DomainName": NAME})
    template.resource_count_is("AWS::ApiGateway::BasePathMapping", 1)
    template.has_resource_properties("AWS::ApiGateway::RestApi", {"DisableExecuteApiEndpoint": True})


def test_http(stack: cdk.Stack, functions: Functions, certificate: acm.ICertificate) -> None:
    domain = apigatewayv2.DomainName(stack, "Domain", domain_name=NAME, certificate=certificate)
    api = ThrottledApi(
        stack,
        "Api",
        function=functions.orders,
        rate_limit=5,
        protocol=ApiProtocol.HTTP,
        default_domain_mapping=apigatewayv2.DomainMappingOptions(domain_name=domain),
    )
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::ApiGatewayV2::ApiMapping", {"DomainName": {"Ref": "Domain66AC69E0"}, "Stage": "$default"}
    )
    assert stack.resolve(api.url) == {"Fn::Join": ["", ["https://", {"Ref": "Domain66AC69E0"}, "/"]]}
