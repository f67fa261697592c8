"""Alarms that call a topic, and a dashboard for each downstream: every threshold follows from the shares."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns

from cdk_breakwater import (
    ConnectionBudget,
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    QuotaThrottledInvocation,
    QuotaTier,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)

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


writer, reader, counter = function("Writer", share_weight=2), function("Reader"), function("Counter")
jobs = DecoupledInvocation(stack, "Jobs", function=writer, source=InvocationSource.sqs())
door = jobs.add_front_door("Door", path="jobs")
clicks = DecoupledInvocation(stack, "Clicks", function=counter, source=InvocationSource.kinesis(shard_count=4))
api = ThrottledApi(stack, "Api", function=reader, expected_duration=Duration.millis(200))
labels = QuotaThrottledInvocation(
    stack, "Labels", function=writer, tiers=[QuotaTier(limit=10, period=Duration.seconds(1))]
)

# A key of one's own: that of SNS itself lets no alarm publish.
pager = sns.Topic(stack, "Pager", master_key=kms.Key(stack, "Key", enable_key_rotation=True), enforce_ssl=True)
watched = [ConnectionBudget.of(database), writer, reader, counter, jobs, door, clicks, api, labels]
for construct in watched:
    construct.alarms(pager)
breakwater_dashboard(stack, "Dashboards", watched)

app.synth()
