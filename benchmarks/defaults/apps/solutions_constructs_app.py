"""The same with AWS Solutions Constructs, which have no HTTP API."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_solutions_constructs.aws_apigateway_lambda import ApiGatewayToLambda  # pyrefly: ignore[missing-import]
from aws_solutions_constructs.aws_apigateway_sqs import ApiGatewayToSqs  # pyrefly: ignore[missing-import]
from aws_solutions_constructs.aws_dynamodbstreams_lambda import (  # pyrefly: ignore[missing-import]
    DynamoDBStreamsToLambda,
)
from aws_solutions_constructs.aws_kinesis_streams_lambda import (  # pyrefly: ignore[missing-import]
    KinesisStreamsToLambda,
)
from aws_solutions_constructs.aws_sqs_lambda import SqsToLambda  # pyrefly: ignore[missing-import]

app = cdk.App()
from_start = lambda_.StartingPosition.TRIM_HORIZON
function: dict[str, Any] = {
    "lambda_function_props": lambda_.FunctionProps(
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_14,
        timeout=cdk.Duration.seconds(30),
    )
}

SqsToLambda(cdk.Stack(app, "Queue"), "Jobs", **function)

KinesisStreamsToLambda(
    cdk.Stack(app, "Kinesis"),
    "Clicks",
    kinesis_stream_props=kinesis.StreamProps(shard_count=2),
    kinesis_event_source_props=event_sources.KinesisEventSourceProps(starting_position=from_start),
    **function,
)

DynamoDBStreamsToLambda(
    cdk.Stack(app, "DynamoDb"),
    "Changes",
    dynamo_table_props=dynamodb.TableProps(
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
    ),
    **function,
)

stack = cdk.Stack(app, "Rest")
# A map: the class of these props wants a handler, which the construct makes itself.
rest = ApiGatewayToLambda(stack, "Api", api_gateway_props={"proxy": False}, **function)
rest.api_gateway.root.add_method("ANY")
rest.api_gateway.root.add_resource("reports").add_method("GET")

stack = cdk.Stack(app, "FrontDoor")
# Its default is to receive messages, not to send them.
door = ApiGatewayToSqs(stack, "Door", allow_create_operation=True)
SqsToLambda(stack, "Jobs", existing_queue_obj=door.sqs_queue, **function)

app.synth()
