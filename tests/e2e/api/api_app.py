"""APIs whose tokens come back slowly, so that a test can count them."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater import ApiProtocol, ThrottledApi

STACK = "Apis"
PAGE = "https://shop.example.net"
CONCURRENCY = 4
SLOW = Duration.seconds(25)
DAILY_QUOTA = 3
URL_CONCURRENCY = 2
CODE = """
import os
import time

def handler(event, context):
    while "GATE" in os.environ and not os.path.exists(os.environ["GATE"]):
        time.sleep(0.05)
    return {"statusCode": 200, "body": os.environ["NAME"]}
"""


def main() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, STACK)

    def function(name: str, concurrency: int = CONCURRENCY, **environment: str) -> lambda_.Function:
        return lambda_.Function(
            stack,
            name,
            code=lambda_.Code.from_inline(CODE),
            handler="index.handler",
            runtime=lambda_.Runtime.PYTHON_3_14,  # the emulator runs functions under this machine's Python
            timeout=Duration.seconds(29),
            environment={"NAME": name, **environment},
            reserved_concurrent_executions=concurrency,
        )

    orders, reports, others = function("orders"), function("reports"), function("others")
    reason = "it answers on this machine's loopback alone"
    routes = ThrottledApi(
        stack,
        "Routes",
        function=orders,
        expected_duration=SLOW,
        refuse="late",  # as many as the shares can do at best, which a test can count
        acknowledge_no_authorization=reason,
        default_cors_preflight_options=apigateway.CorsOptions(allow_origins=[PAGE]),
    )
    routes.add_route("GET", "/reports", function=reports, expected_duration=SLOW)
    routes.add_route("GET", "/reports/daily", function=reports, rate_limit=0.01, burst_limit=2)
    routes.add_route(
        "POST",
        "/orders",
        rate_limit=0.01,
        burst_limit=3,
        request_schema=apigateway.JsonSchema(
            type=apigateway.JsonSchemaType.OBJECT,
            properties={"article": apigateway.JsonSchema(type=apigateway.JsonSchemaType.STRING)},
            required=["article"],
        ),
    )
    clients = ThrottledApi(  # room for all, so that a client meets no limit but its own
        stack, "Clients", function=others, rate_limit=100, burst_limit=20, acknowledge_no_authorization=reason
    )
    keys = {
        "small": clients.add_client("small", rate_limit=0.01, burst_limit=2),
        "large": clients.add_client("large", rate_limit=0.01, burst_limit=5),
        "daily": clients.add_client(
            "daily",
            rate_limit=100,
            quota=apigateway.QuotaSettings(limit=DAILY_QUOTA, period=apigateway.Period.DAY),
        ),
    }
    steady = ThrottledApi(
        stack, "Steady", function=others, rate_limit=1, burst_limit=2, acknowledge_no_authorization=reason
    )
    http = ThrottledApi(
        stack,
        "Http",
        function=others,
        rate_limit=100,
        acknowledge_no_authorization=reason,
        protocol=ApiProtocol.HTTP,
    )
    http.add_route("GET", "/reports", function=reports, rate_limit=1)
    gated = function("gated", URL_CONCURRENCY, GATE=json.loads(app.node.get_context("demo"))["gate"])
    url = gated.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)
    CfnOutput(stack, "Url", value=url.url)
    for name, api in {"Routes": routes, "Clients": clients, "Steady": steady}.items():
        assert api.rest_api is not None
        CfnOutput(stack, f"{name}Id", value=api.rest_api.rest_api_id)
        CfnOutput(stack, f"{name}Stage", value=api.rest_api.deployment_stage.stage_name)
    assert http.http_api is not None
    CfnOutput(stack, "HttpId", value=http.http_api.api_id)
    for name, key in keys.items():
        CfnOutput(stack, f"Key{name}", value=key.key_id)
    app.synth()


if __name__ == "__main__":
    main()
