"""A queue before a database: a burst waits in the queue, and the function never has more than its share."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import DatabaseEngine, DecoupledInvocation, Downstream, InvocationSource, VpcDatabaseFunction

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
        "import breakwater_runtime as breakwater\n\n\n"
        "@breakwater.batch\ndef handler(record, context):\n    print(record['messageId'])\n"
    ),
)
DecoupledInvocation(stack, "Jobs", function=writer, source=InvocationSource.sqs())

app.synth()
