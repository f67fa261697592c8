"""Bookings of one ship follow one another, those of different ships run side by side; the crew hears what fails."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns

from cdk_breakwater import DatabaseEngine, DecoupledInvocation, Downstream, InvocationSource, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Bookings")

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
    host="bookings.example.net",
    port=5432,
    engine=DatabaseEngine.POSTGRESQL,
    max_connections=60,
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "bookings/database"),
    security_group=ec2.SecurityGroup.from_security_group_id(stack, "DatabaseSecurityGroup", "sg-12345678"),
)
booker = VpcDatabaseFunction(
    stack,
    "Booker",
    database=database,
    vpc=vpc,
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(
        "import breakwater_runtime as breakwater\n\n\n"
        "@breakwater.batch\ndef handler(record, context):\n    print(record['attributes']['MessageGroupId'])\n"
    ),
)

key = kms.Key(stack, "Key", enable_key_rotation=True)
# CloudWatch sends what the alarm says, to an encrypted topic only with the key.
key.grant_encrypt_decrypt(iam.ServicePrincipal("cloudwatch.amazonaws.com"))
crew = sns.Topic(stack, "Crew", master_key=key, enforce_ssl=True)

bookings = DecoupledInvocation(
    stack,
    "Queue",
    function=booker,
    # One message per invocation, so that none waits behind a failing one of its group and runs out of receives with it.
    source=InvocationSource.sqs(fifo=True, content_based_deduplication=True, encryption_key=key),
)
bookings.alarms(crew)
cdk.CfnOutput(stack, "Redrive", value=bookings.redrive())

app.synth()
