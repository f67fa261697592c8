"""A queue that others send to already: its limits are checked, and the one exception is stated with its reason."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from cdk_breakwater import DatabaseEngine, DecoupledInvocation, Downstream, InvocationSource, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Invoices")

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
    host="invoices.example.net",
    port=3306,
    engine=DatabaseEngine.MARIADB,
    max_connections=60,
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "invoices/database"),
    security_group=ec2.SecurityGroup.from_security_group_id(stack, "DatabaseSecurityGroup", "sg-12345678"),
)
writer = VpcDatabaseFunction(
    stack,
    "Writer",
    database=database,
    vpc=vpc,
    timeout=cdk.Duration.seconds(20),
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(
        "import breakwater_runtime as breakwater\n\n\n"
        "@breakwater.batch\ndef handler(record, context):\n    print(record['messageId'])\n"
    ),
)

fortnight = cdk.Duration.days(14)
failed = sqs.Queue(
    stack,
    "Failed",
    encryption=sqs.QueueEncryption.SQS_MANAGED,
    enforce_ssl=True,
    retention_period=fortnight,
)
Validations.of(failed).acknowledge(
    Acknowledgment(id="Serverless-SQSRedrivePolicy", reason="It is the dead-letter queue itself.")
)
invoices = sqs.Queue(
    stack,
    "Invoices",
    encryption=sqs.QueueEncryption.SQS_MANAGED,
    enforce_ssl=True,
    retention_period=fortnight,
    visibility_timeout=cdk.Duration.seconds(120),  # 6 x the function's timeout, or the synth fails with this number
    dead_letter_queue=sqs.DeadLetterQueue(queue=failed, max_receive_count=8),
)
DecoupledInvocation(
    stack,
    "Intake",
    function=writer,
    source=InvocationSource.sqs(
        invoices,
        # What is no invoice is deleted from the queue, and invokes nothing.
        filters=[lambda_.FilterCriteria.filter({"body": {"kind": lambda_.FilterRule.is_equal("invoice")}})],
        acknowledge_dead_letter_retention="the clerk looks at failed invoices every morning",
    ),
)

app.synth()
