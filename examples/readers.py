"""Readers of a cluster: a budget of their own, beside the writer's."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import Downstream, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Orders", env=cdk.Environment(account="123456789012", region="eu-central-1"))

vpc = ec2.Vpc.from_vpc_attributes(
    stack,
    "Vpc",
    vpc_id="vpc-12345678",
    vpc_cidr_block="10.0.0.0/16",
    availability_zones=["eu-central-1a", "eu-central-1b"],
    private_subnet_ids=["subnet-12345678", "subnet-87654321"],
)
large = ec2.InstanceType("r6g.large")
cluster = rds.DatabaseCluster(
    stack,
    "Cluster",
    engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_7),
    vpc=vpc,
    port=5433,
    default_database_name="shop",
    # Set here, the number is known, and the same for each instance.
    parameters={"max_connections": "112", "rds.force_ssl": "1"},
    writer=rds.ClusterInstance.provisioned("Writer", instance_type=large, publicly_accessible=False),
    readers=[rds.ClusterInstance.provisioned("Reader", instance_type=large, publicly_accessible=False)],
    iam_authentication=True,
    storage_encrypted=True,
    backup=rds.BackupProps(retention=Duration.days(7)),
    cloudwatch_logs_exports=["postgresql"],
    deletion_protection=True,
)
# 80 connections to share on the writer, and as many on the reader.
for name, database in (("Order", cluster), ("Report", Downstream.readers(cluster))):
    VpcDatabaseFunction(
        stack,
        name,
        database=database,
        vpc=vpc,
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=lambda_.Code.from_inline(
            "import breakwater_runtime as breakwater\n\n"
            "database = breakwater.database()\n\n\n"
            "def handler(event, context):\n"
            "    with database.connection(context) as connection, connection.cursor() as cursor:\n"
            "        cursor.execute('SELECT 1')\n"
            "        return cursor.fetchone()[0]\n"
        ),
    )

# Rotation, a key of one's own, backup plans and enhanced monitoring are the app's choice, and left out here.
for rule in (
    "AwsSolutions-SMG4",
    *(
        f"{pack}-{name}"
        for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
        for name in (
            "SecretsManagerRotationEnabled",
            "SecretsManagerUsingKMSKey",
            "RDSInBackupPlan",
            "RDSEnhancedMonitoringEnabled",
        )
    ),
):
    Validations.of(cluster).acknowledge(Acknowledgment(id=rule, reason="left out of the example"))

app.synth()
