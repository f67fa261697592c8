from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2

from cdk_breakwater.checks.rules.api_throttling import RULE

from .stacks import function

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_cdk import Stack

    from .conftest import Findings


def rest(options: apigateway.StageOptions | None = None) -> Callable[[Stack], None]:
    def app(stack: Stack) -> None:
        apigateway.LambdaRestApi(stack, "Api", handler=function(stack), deploy_options=options)

    return app


def http(throttle: apigatewayv2.ThrottleSettings | None = None) -> Callable[[Stack], None]:
    def app(stack: Stack) -> None:
        api = apigatewayv2.HttpApi(stack, "Api", create_default_stage=False)
        apigatewayv2.HttpStage(stack, "Stage", http_api=api, throttle=throttle)

    return app


def test_a_rest_api_without_limits(findings: Findings) -> None:
    (finding,) = findings(RULE, rest())
    assert finding.problem == (
        "Stack0/Api/DeploymentStage.prod of Stack0/Api has no default rate and burst: it may take the account's "
        "10,000 requests per second."
    )
    assert finding.location == "Properties.MethodSettings"


def test_a_rest_api_with_half_of_them(findings: Findings) -> None:
    assert len(findings(RULE, rest(apigateway.StageOptions(throttling_rate_limit=50)))) == 1
    one_method = {"/orders/GET": apigateway.MethodDeploymentOptions(throttling_rate_limit=5, throttling_burst_limit=5)}
    assert len(findings(RULE, rest(apigateway.StageOptions(method_options=one_method)))) == 1


def test_a_rest_api_with_limits(findings: Findings) -> None:
    options = apigateway.StageOptions(throttling_rate_limit=50, throttling_burst_limit=100)
    assert findings(RULE, rest(options)) == []


def test_an_http_api(findings: Findings) -> None:
    (finding,) = findings(RULE, http())
    assert finding.location == "Properties.DefaultRouteSettings"
    assert len(findings(RULE, http(apigatewayv2.ThrottleSettings(rate_limit=50)))) == 1
    assert findings(RULE, http(apigatewayv2.ThrottleSettings(rate_limit=50, burst_limit=100))) == []
