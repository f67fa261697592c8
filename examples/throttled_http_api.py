"""An HTTP API before two functions of one database, called from a page of another origin."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import ApiProtocol, DatabaseEngine, Downstream, ThrottledApi, VpcDatabaseFunction

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
    protocol=ApiProtocol.HTTP,
    cors_preflight=apigatewayv2.CorsPreflightOptions(
        allow_origins=["https://shop.example.net"],
        allow_methods=[apigatewayv2.CorsHttpMethod.GET],
        allow_headers=["Authorization"],
    ),
)
api.add_route("GET", "/reports", function=reports, expected_duration=Duration.seconds(3))

app.synth()
