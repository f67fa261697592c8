"""A queue, two streams, two APIs and a front door before a function with a share, with cdk-breakwater."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater import ApiProtocol, ConnectionBudget, DecoupledInvocation, InvocationSource, ThrottledApi

app = cdk.App()


def function(stack: cdk.Stack) -> lambda_.Function:
    made = lambda_.Function(
        stack,
        "Function",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_14,
        timeout=cdk.Duration.seconds(30),
    )
    ConnectionBudget(stack, "Budget", max_connections=50).share("function").limit(made)
    return made


stack = cdk.Stack(app, "Queue")
DecoupledInvocation(stack, "Jobs", function=function(stack), source=InvocationSource.sqs())

stack = cdk.Stack(app, "Kinesis")
DecoupledInvocation(stack, "Clicks", function=function(stack), source=InvocationSource.kinesis(shard_count=2))

stack = cdk.Stack(app, "DynamoDb")
table = dynamodb.Table(stack, "Table", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING))
DecoupledInvocation(stack, "Changes", function=function(stack), source=InvocationSource.dynamodb_stream(table))

stack = cdk.Stack(app, "Rest")
api = ThrottledApi(stack, "Api", function=function(stack), expected_duration=cdk.Duration.millis(200))
api.add_route("GET", "/reports", rate_limit=2)
api.add_client("partner", rate_limit=5)

stack = cdk.Stack(app, "Http")
api = ThrottledApi(
    stack, "Api", function=function(stack), expected_duration=cdk.Duration.millis(200), protocol=ApiProtocol.HTTP
)
api.add_route("GET", "/reports", rate_limit=2)

stack = cdk.Stack(app, "FrontDoor")
DecoupledInvocation(stack, "Jobs", function=function(stack), source=InvocationSource.sqs()).add_front_door(
    "Door", path="orders"
)

app.synth()
