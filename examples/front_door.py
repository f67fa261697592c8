"""An HTTP endpoint before a queue before a database: 202 now, the result later, and no function in between."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import DatabaseEngine, DecoupledInvocation, Downstream, VpcDatabaseFunction

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
writer = VpcDatabaseFunction(
    stack,
    "Writer",
    database=database,
    vpc=vpc,
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(
        "import json\n\nimport breakwater_runtime as breakwater\n\n\n"
        "@breakwater.batch\ndef handler(record, context):\n"
        "    return {'ordered': json.loads(record['body'])['article']}\n"
    ),
)
jobs = DecoupledInvocation(stack, "Jobs", function=writer)
door = jobs.add_front_door(
    "Door",
    path="orders",
    request_schema=apigateway.JsonSchema(
        type=apigateway.JsonSchemaType.OBJECT,
        required=["article"],
        properties={"article": apigateway.JsonSchema(type=apigateway.JsonSchemaType.STRING)},
    ),
)
cdk.CfnOutput(stack, "Orders", value=door.url)

app.synth()
