"""An API before a database: the rate follows from the function's share and how long an invocation takes."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Duration
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
    port=3306,
    engine=DatabaseEngine.MYSQL,
    max_connections=60,
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "orders/database"),
    security_group=ec2.SecurityGroup.from_security_group_id(stack, "DatabaseSecurityGroup", "sg-12345678"),
)
reader = VpcDatabaseFunction(
    stack,
    "Reader",
    database=database,
    vpc=vpc,
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline("def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"),
)
ThrottledApi(stack, "Api", function=reader, expected_duration=Duration.millis(200))

app.synth()
