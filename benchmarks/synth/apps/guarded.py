"""A database, a function before it and a queue before the function, with cdk-breakwater."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import DecoupledInvocation, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Benchmark")
vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
database = rds.DatabaseInstance(
    stack,
    "Database",
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
    vpc=vpc,
    storage_encrypted=True,
    parameters={"max_connections": "80"},
)
function = VpcDatabaseFunction(
    stack,
    "Orders",
    database=database,
    vpc=vpc,
    code=lambda_.Code.from_inline("def handler(event, context): ..."),
    handler="index.handler",
    runtime=lambda_.Runtime.PYTHON_3_14,
)
DecoupledInvocation(stack, "Jobs", function=function)
app.synth()
