"""Two Stages of one app, each with Aurora Serverless in a stack of its own and a queue before its writer."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk_breakwater import (
    ConnectionBudget,
    DatabaseCredentials,
    DecoupledInvocation,
    InvocationSource,
    VpcDatabaseFunction,
)

CODE = """
import json

import breakwater_runtime as breakwater

database = breakwater.database()


@breakwater.batch
def write(record, context):
    order = json.loads(record["body"])
    with database.connection(context) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO shop.orders (product) VALUES (%s)", (order["product"],))


def read(event, context):
    with database.connection(context) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, product FROM shop.orders WHERE id = %s", (event["id"],))
        return cursor.fetchone()
"""


class Data(cdk.Stack):
    """What outlives every deployment of the functions."""

    def __init__(self, scope: Construct, id: str, *, most_acus: float) -> None:
        super().__init__(scope, id)
        isolated = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[isolated],
            restrict_default_security_group=False,
        )
        self.cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            engine=rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_10_0),
            vpc=self.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            writer=rds.ClusterInstance.serverless_v2("Writer"),
            serverless_v2_min_capacity=1,
            serverless_v2_max_capacity=most_acus,
            default_database_name="shop",
            port=3307,
            storage_encrypted=True,
            deletion_protection=True,
            iam_authentication=True,
            backup=rds.BackupProps(retention=Duration.days(7)),
            cloudwatch_logs_exports=["audit", "error", "slowquery"],
        )


class Orders(cdk.Stack):
    """What changes with the code."""

    def __init__(self, scope: Construct, id: str, data: Data) -> None:
        super().__init__(scope, id)
        pager = sns.Topic(self, "Pager", enforce_ssl=True)
        writer = self._function("Write", data, share_weight=2, grants="SELECT, INSERT ON shop.*")
        reader = self._function("Read", data, share_weight=1, grants="SELECT ON shop.*")
        jobs = DecoupledInvocation(self, "Jobs", function=writer, source=InvocationSource.sqs())
        for watched in (ConnectionBudget.of(data.cluster), writer, reader, jobs):
            watched.alarms(pager)
        # A key of one's own for the topic is left out of the example.
        acknowledge(pager, "AwsSolutions-SNS2", "Serverless-SNSEncrypted", *compliance("SNSEncryptedKMS"))

    def _function(self, id: str, data: Data, *, share_weight: int, grants: str) -> VpcDatabaseFunction:
        return VpcDatabaseFunction(
            self,
            id,
            database=data.cluster,
            vpc=data.vpc,
            share_weight=share_weight,
            credentials=DatabaseCredentials.user(f"orders_{id.lower()}", grants=[grants]),
            code=lambda_.Code.from_inline(CODE),
            handler=f"index.{id.lower()}",
            runtime=lambda_.Runtime.PYTHON_3_14,
        )


class Shop(cdk.Stage):
    """One account's part of the app."""

    def __init__(self, scope: Construct, id: str, *, most_acus: float) -> None:
        super().__init__(scope, id)
        data = Data(self, "Data", most_acus=most_acus)
        Orders(self, "Orders", data)
        acknowledge(data.vpc, "AwsSolutions-VPC7", *compliance("VPCFlowLogsEnabled", "VPCDefaultSecurityGroupClosed"))
        acknowledge(
            data.cluster,
            "AwsSolutions-SMG4",
            "AwsSolutions-RDS14",
            *compliance("SecretsManagerRotationEnabled", "SecretsManagerUsingKMSKey"),
            *compliance("RDSInBackupPlan", "RDSEnhancedMonitoringEnabled", "RDSLoggingEnabled[LogExport::general]"),
        )


def compliance(*rules: str) -> list[str]:
    return [f"{pack}-{rule}" for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321") for rule in rules]


def acknowledge(construct: Construct, *rules: str) -> None:
    for rule in rules:
        Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason="left out of the example"))


class Delivery(cdk.Stack):
    """What the pipeline that deploys both has of its own."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        failures = sns.Topic(self, "Failures", enforce_ssl=True)
        acknowledge(failures, "AwsSolutions-SNS2", "Serverless-SNSEncrypted", *compliance("SNSEncryptedKMS"))


app = cdk.App()
Delivery(app, "Delivery")
Shop(app, "Staging", most_acus=2)
Shop(app, "Production", most_acus=16)
app.synth()
