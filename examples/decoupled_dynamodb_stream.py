"""Every change of a table reaches a SQL database, with no more connections than the function's share."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import DatabaseEngine, DecoupledInvocation, Downstream, InvocationSource, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Changes")

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
    host="reports.example.net",
    port=3306,
    engine=DatabaseEngine.MYSQL,
    max_connections=60,
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "reports/database"),
    security_group=ec2.SecurityGroup.from_security_group_id(stack, "DatabaseSecurityGroup", "sg-12345678"),
)
copier = VpcDatabaseFunction(
    stack,
    "Copier",
    database=database,
    vpc=vpc,
    concurrency=10,
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(
        "import breakwater_runtime as breakwater\n\n\n"
        "@breakwater.batch\ndef handler(record, context):\n    print(record['eventName'])\n"
    ),
)

# Without a stream of its own so far: the source turns one on.
orders = dynamodb.TableV2(
    stack,
    "Orders",
    partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
    encryption=dynamodb.TableEncryptionV2.aws_managed_key(),
    point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
    deletion_protection=True,
)
# Inserts alone; updates and removals don't invoke anything.
inserts = lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.is_equal("INSERT")})
DecoupledInvocation(
    stack, "Inserts", function=copier, source=InvocationSource.dynamodb_stream(orders, filters=[inserts])
)

app.synth()
