"""The resources of `guarded.py` in raw L2 constructs, the numbers typed in. Its argument is the layer's folder."""

from __future__ import annotations

import sys

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sqs as sqs

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
secret = database.secret
assert secret is not None
role = iam.Role(stack, "OrdersRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
log_group = logs.LogGroup(stack, "OrdersLogs", retention=logs.RetentionDays.ONE_MONTH)
function = lambda_.Function(
    stack,
    "Orders",
    code=lambda_.Code.from_inline("def handler(event, context): ..."),
    handler="index.handler",
    runtime=lambda_.Runtime.PYTHON_3_14,
    role=role,
    vpc=vpc,
    vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
    allow_all_outbound=False,
    reserved_concurrent_executions=54,
    timeout=cdk.Duration.seconds(30),
    memory_size=512,
    tracing=lambda_.Tracing.ACTIVE,
    log_group=log_group,
    layers=[
        lambda_.LayerVersion(
            stack,
            "Layer",
            code=lambda_.Code.from_asset(sys.argv[1]),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_14],
            compatible_architectures=[lambda_.Architecture.X86_64],
            description="breakwater_runtime for Python 3.14 x86_64, psycopg[binary]==3.3.9",
        )
    ],
    environment={
        "BREAKWATER_ENGINE": "postgresql",
        "BREAKWATER_HOST": database.instance_endpoint.hostname,
        "BREAKWATER_PORT": "5432",
        "BREAKWATER_SECRET_ARN": secret.secret_arn,
        "BREAKWATER_MAX_CONNECTIONS": "80",
        "BREAKWATER_UTILIZATION": "0.8",
        "BREAKWATER_TLS_CA": "bundled",
        "BREAKWATER_FUNCTION_TIMEOUT": "30",
    },
)
function.connections.allow_to_any_ipv4(ec2.Port.HTTPS, "AWS APIs, Secrets Manager among them")
function.connections.allow_to(database, ec2.Port.tcp(5432), "postgres")
function.add_to_role_policy(
    iam.PolicyStatement(
        actions=[
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ],
        resources=["*"],
    )
)
log_group.grant_write(role)
secret.grant_read(function)
dead_letter_queue = sqs.Queue(
    stack,
    "DeadLetterQueue",
    encryption=sqs.QueueEncryption.SQS_MANAGED,
    enforce_ssl=True,
    retention_period=cdk.Duration.days(14),
)
dead_letter_queue.metric_approximate_number_of_messages_visible(
    statistic="max", period=cdk.Duration.minutes(1)
).create_alarm(
    stack,
    "DeadLetterAlarm",
    alarm_description="A message failed for good.",
    threshold=1,
    evaluation_periods=1,
    comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
)
queue = sqs.Queue(
    stack,
    "Queue",
    encryption=sqs.QueueEncryption.SQS_MANAGED,
    enforce_ssl=True,
    visibility_timeout=cdk.Duration.seconds(180),
    dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letter_queue, max_receive_count=5),
)
queue.grant_consume_messages(function)
lambda_.EventSourceMapping(
    stack,
    "Mapping",
    target=function,
    event_source_arn=queue.queue_arn,
    batch_size=10,
    max_concurrency=54,
    report_batch_item_failures=True,
)
app.synth()
