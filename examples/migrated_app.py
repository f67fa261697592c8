"""An app of the CDK's own constructs, as it was deployed, and below the line what keeps its database alive."""

from __future__ import annotations

from typing import cast

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from cdk_breakwater import ConnectionBudget, Downstream, ThrottledApi

CODE = """
import json
import os

import boto3
import pymysql


def connect():
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET"])
    login = json.loads(secret["SecretString"])
    return pymysql.connect(host=login["host"], port=login["port"], user=login["username"], password=login["password"])


def work(event, context):
    with connect() as connection, connection.cursor() as cursor:
        for record in event["Records"]:
            cursor.execute("INSERT INTO shop.orders (product) VALUES (%s)", (json.loads(record["body"])["product"],))
        connection.commit()


def answer(event, context):
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop.orders")
        return {"statusCode": 200, "body": str(cursor.fetchone()[0])}
"""

app = cdk.App()
stack = cdk.Stack(app, "Warehouse")

vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1, restrict_default_security_group=False)
database = rds.DatabaseInstance(
    stack,
    "Database",
    engine=rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("8.4.7", "8.4")),
    vpc=vpc,
    port=3307,
    parameters={"max_connections": "120"},
    storage_encrypted=True,
    multi_az=True,
    deletion_protection=True,
    backup_retention=Duration.days(7),
    cloudwatch_logs_exports=["error"],
)
secret = cast("secretsmanager.ISecret", database.secret)


def function(id: str, handler: str) -> lambda_.Function:
    made = lambda_.Function(
        stack,
        id,
        vpc=vpc,
        code=lambda_.Code.from_inline(CODE),
        handler=handler,
        runtime=lambda_.Runtime.PYTHON_3_14,
        timeout=Duration.seconds(20),
        environment={"SECRET": secret.secret_arn},
    )
    secret.grant_read(made)
    database.connections.allow_default_port_from(made)
    return made


worker, answers = function("Worker", "index.work"), function("Answers", "index.answer")
dead = sqs.Queue(stack, "Dead", retention_period=Duration.days(14), enforce_ssl=True)
jobs = sqs.Queue(
    stack,
    "Jobs",
    visibility_timeout=Duration.minutes(2),
    enforce_ssl=True,
    dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5),
)
api = apigateway.LambdaRestApi(
    stack,
    "Api",
    handler=answers,
    default_method_options=apigateway.MethodOptions(authorization_type=apigateway.AuthorizationType.IAM),
)

# ---- added: nothing above is replaced, and no handler is touched yet ----

# Their own connections, opened and closed by each invocation, overlap after a deployment: each share counts twice.
share = Downstream.of(database).connect(worker, overlap=True, share_weight=2)
Downstream.of(database).connect(answers, overlap=True)
worker.add_event_source(event_sources.SqsEventSource(jobs, batch_size=1, max_concurrency=share.concurrency))
ThrottledApi.limit(api, function=answers, expected_duration=Duration.millis(200))
ConnectionBudget.of(database).alarms(sns.Topic(stack, "Pager", enforce_ssl=True))

# What cdk-nag finds in the app as it was is for another day.
for rule in (
    "AwsSolutions-APIG1",
    "AwsSolutions-APIG2",
    "AwsSolutions-APIG3",
    "AwsSolutions-APIG6",
    "AwsSolutions-COG4",
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]",
    "AwsSolutions-SMG4",
    "AwsSolutions-VPC7",
    "Serverless-APIGWAccessLogging",
    "Serverless-APIGWXrayEnabled",
    "Serverless-LambdaDLQ",
    "Serverless-LambdaDefaultMemorySize",
    "Serverless-LambdaEventSourceMappingDestination",
    "Serverless-LambdaTracing",
    "Serverless-SQSRedrivePolicy",
    *(
        f"{pack}-{name}"
        for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
        for name in (
            "APIGWAssociatedWithWAF",
            "APIGWCacheEnabledAndEncrypted",
            "APIGWExecutionLoggingEnabled",
            "APIGWSSLEnabled",
            "APIGWXrayEnabled",
            "EC2RestrictedCommonPorts",
            "EC2RestrictedSSH",
            "IAMNoInlinePolicy",
            "LambdaDLQ",
            "RDSEnhancedMonitoringEnabled",
            "RDSInBackupPlan",
            "RDSInstancePublicAccess",
            *(f"RDSLoggingEnabled[LogExport::{log}]" for log in ("audit", "general", "slowquery")),
            "SNSEncryptedKMS",
            "SecretsManagerRotationEnabled",
            "SecretsManagerUsingKMSKey",
            "VPCDefaultSecurityGroupClosed",
            "VPCFlowLogsEnabled",
            "VPCNoUnrestrictedRouteToIGW",
            "VPCSubnetAutoAssignPublicIpDisabled",
        )
    ),
):
    Validations.of(stack).acknowledge(Acknowledgment(id=rule, reason="as it was before"))

app.synth()
