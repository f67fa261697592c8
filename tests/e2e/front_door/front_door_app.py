"""A front door before a queue, as an app would write it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater import DecoupledInvocation

HERE = Path(__file__).parent
FUNCTION_TIMEOUT = Duration.seconds(10)


def function(stack: cdk.Stack, name: str, **options: Any) -> lambda_.Function:
    return lambda_.Function(
        stack,
        name.title(),
        code=lambda_.Code.from_asset(str(HERE / name)),
        handler=f"{name}.handler",
        # The emulator runs functions under this Python.
        runtime=lambda_.Runtime(f"python3.{sys.version_info.minor}", lambda_.RuntimeFamily.PYTHON),
        **options,
    )


def main() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "FrontDoor")
    worker = function(stack, "worker", timeout=FUNCTION_TIMEOUT, reserved_concurrent_executions=4)
    authorizer = apigateway.TokenAuthorizer(
        stack, "Callers", handler=function(stack, "authorizer"), results_cache_ttl=Duration.seconds(0)
    )
    jobs = DecoupledInvocation(stack, "Jobs", function=worker)
    door = jobs.add_front_door(
        "Door",
        path="shop/orders",
        request_schema=apigateway.JsonSchema(type=apigateway.JsonSchemaType.OBJECT, required=["do"]),
        default_method_options=apigateway.MethodOptions(authorizer=authorizer),
    )
    assert door.api.rest_api is not None
    assert jobs.dead_letter_queue is not None
    for name, value in {
        "Api": door.api.rest_api.rest_api_id,
        "Stage": door.api.rest_api.deployment_stage.stage_name,
        "Table": door.results.table.table_name,
        "Queue": jobs.queue.queue_url,
        "DeadLetters": jobs.dead_letter_queue.queue_url,
        "Results": door.results_function.function_name,
    }.items():
        CfnOutput(stack, name, value=value)
    app.synth()


if __name__ == "__main__":
    main()
