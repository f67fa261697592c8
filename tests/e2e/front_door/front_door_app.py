"""A front door before a queue, as an app would write it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater import DecoupledInvocation, InvocationSource

STACK = "FrontDoor"
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
    stack = cdk.Stack(app, STACK)
    worker = function(stack, "worker", timeout=FUNCTION_TIMEOUT, reserved_concurrent_executions=4)
    authorizer = apigateway.TokenAuthorizer(
        stack, "Callers", handler=function(stack, "authorizer"), results_cache_ttl=Duration.seconds(0)
    )
    doors = {
        "Standard": (
            InvocationSource.sqs(),
            {"default_method_options": apigateway.MethodOptions(authorizer=authorizer)},
        ),
        "Ordered": (
            InvocationSource.sqs(fifo=True),
            {"order_by": "$.customer", "acknowledge_no_authorization": "the test's callers have no names"},
        ),
    }
    for name, (source, options) in doors.items():
        jobs = DecoupledInvocation(stack, name, function=worker, source=source)
        door = jobs.add_front_door(
            "Door",
            path="shop/orders",
            request_schema=apigateway.JsonSchema(type=apigateway.JsonSchemaType.OBJECT, required=["do"]),
            **options,
        )
        assert door.api.rest_api is not None
        assert jobs.dead_letter_queue is not None
        for output, value in {
            "Api": door.api.rest_api.rest_api_id,
            "Table": door.results.table.table_name,
            "Queue": jobs.queue.queue_url,
            "DeadLetters": jobs.dead_letter_queue.queue_url,
        }.items():
            CfnOutput(stack, f"{name}{output}", value=value)
    app.synth()


if __name__ == "__main__":
    main()
