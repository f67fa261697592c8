"""The same with the L2 constructs of aws-cdk-lib."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

app = cdk.App()


def function(stack: cdk.Stack) -> lambda_.Function:
    return lambda_.Function(
        stack,
        "Function",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_14,
        timeout=cdk.Duration.seconds(30),
    )


stack = cdk.Stack(app, "Queue")
function(stack).add_event_source(event_sources.SqsEventSource(sqs.Queue(stack, "Jobs")))

stack = cdk.Stack(app, "Kinesis")
clicks = kinesis.Stream(stack, "Clicks", shard_count=2)
from_start = lambda_.StartingPosition.TRIM_HORIZON
function(stack).add_event_source(event_sources.KinesisEventSource(clicks, starting_position=from_start))

stack = cdk.Stack(app, "DynamoDb")
table = dynamodb.Table(
    stack,
    "Table",
    partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
    stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
)
function(stack).add_event_source(event_sources.DynamoEventSource(table, starting_position=from_start))

stack = cdk.Stack(app, "Rest")
rest = apigateway.LambdaRestApi(stack, "Api", handler=function(stack), proxy=False)
rest.root.add_method("ANY")
rest.root.add_resource("reports").add_method("GET")
rest.add_usage_plan("Plan", api_stages=[apigateway.UsagePlanPerApiStage(stage=rest.deployment_stage)]).add_api_key(
    rest.add_api_key("Partner")
)

stack = cdk.Stack(app, "Http")
integration = HttpLambdaIntegration("Integration", function(stack))
http = apigatewayv2.HttpApi(stack, "Api", default_integration=integration)
http.add_routes(path="/reports", methods=[apigatewayv2.HttpMethod.GET], integration=integration)

stack = cdk.Stack(app, "FrontDoor")
queue = sqs.Queue(stack, "Jobs")
function(stack).add_event_source(event_sources.SqsEventSource(queue))
role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"))
queue.grant_send_messages(role)
door = apigateway.RestApi(stack, "Door")
door.root.add_resource("orders").add_method(
    "POST",
    apigateway.AwsIntegration(
        service="sqs",
        path=f"{stack.account}/{queue.queue_name}",
        options=apigateway.IntegrationOptions(
            credentials_role=role,
            request_parameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
            request_templates={"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"},
            integration_responses=[apigateway.IntegrationResponse(status_code="200")],
        ),
    ),
    method_responses=[apigateway.MethodResponse(status_code="200")],
)

app.synth()
