"""A REST API before two functions of one database: limits by route, by client and by address."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import DatabaseEngine, Downstream, ThrottledApi, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Orders")

vpc = ec2.Vpc.from_vpc_attributes(
    stack,
    "Vpc",
    vpc_id="vpc-12345678",
    vpc_cidr_block="10.0.0.0/16",
    availability_zones=["eu-central-1a", "eu-central-1b"],
    private_subnet_ids=["subnet-12345678", "subnet-87654321"],
)
database = Downstream.endpoint(
    stack,
    "Database",
    host="orders.example.net",
    port=5432,
    engine=DatabaseEngine.POSTGRESQL,
    max_connections=112,
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "orders/database"),
    security_group=ec2.SecurityGroup.from_security_group_id(stack, "DatabaseSecurityGroup", "sg-12345678"),
)


def function(name: str, **options: int) -> VpcDatabaseFunction:
    return VpcDatabaseFunction(
        stack,
        name,
        database=database,
        vpc=vpc,
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"),
        **options,
    )


orders, reports = function("Orders", share_weight=3), function("Reports")

api = ThrottledApi(
    stack,
    "Api",
    function=orders,
    expected_duration=Duration.millis(200),
    rate_limit_per_address=5,
    default_cors_preflight_options=apigateway.CorsOptions(allow_origins=["https://shop.example.net"]),
)
# The rate follows from the share of `reports`.
api.add_route("GET", "/reports", function=reports, expected_duration=Duration.seconds(3))
# What this needs of the share of `orders`, the rest of the API does without.
api.add_route(
    "POST",
    "/orders",
    rate_limit=20,
    burst_limit=10,
    request_schema=apigateway.JsonSchema(
        type=apigateway.JsonSchemaType.OBJECT,
        properties={"article": apigateway.JsonSchema(type=apigateway.JsonSchemaType.STRING, max_length=40)},
        required=["article"],
    ),
)
api.add_client(
    "partner",
    rate_limit=5,
    burst_limit=10,
    quota=apigateway.QuotaSettings(limit=10_000, period=apigateway.Period.DAY),
)

app.synth()
