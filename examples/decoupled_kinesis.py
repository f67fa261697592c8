"""Clicks arrive in a stream of four shards, and the database sees no more of them at once than its budget grants."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import DatabaseEngine, DecoupledInvocation, Downstream, InvocationSource, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Clicks")

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
    host="clicks.example.net",
    port=5432,
    engine=DatabaseEngine.POSTGRESQL,
    max_connections=32,
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "clicks/database"),
    security_group=ec2.SecurityGroup.from_security_group_id(stack, "DatabaseSecurityGroup", "sg-12345678"),
)

# (32 - 12 reserved) x 0.8 = a share of 16: each of the four shards is read by four invocations at once.
counter = VpcDatabaseFunction(
    stack,
    "Counter",
    database=database,
    vpc=vpc,
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(
        "import breakwater_runtime as breakwater\n\n\n"
        "@breakwater.batch\ndef handler(record, context):\n    print(record['kinesis']['partitionKey'])\n"
    ),
)
clicks = DecoupledInvocation(stack, "Stream", function=counter, source=InvocationSource.kinesis(shard_count=4))
cdk.CfnOutput(stack, "StreamName", value=clicks.stream.stream_name)

app.synth()
