"""A function outside any VPC, before a public database: TLS enforced by the server, verified by the client."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import PublicSslDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Orders", env=cdk.Environment(account="123456789012", region="eu-central-1"))

vpc = ec2.Vpc.from_vpc_attributes(
    stack,
    "Vpc",
    vpc_id="vpc-12345678",
    vpc_cidr_block="10.0.0.0/16",
    availability_zones=["eu-central-1a", "eu-central-1b"],
    public_subnet_ids=["subnet-12345678", "subnet-87654321"],
)
database = rds.DatabaseInstance(
    stack,
    "Database",
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_9),
    vpc=vpc,
    vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
    publicly_accessible=True,
    port=5433,
    database_name="shop",
    # Set here, the number is known: (112 - 12 of PostgreSQL's own) x 0.8 = 80 connections to share.
    parameters={"max_connections": "112"},
    storage_encrypted=True,
    multi_az=True,
    backup_retention=Duration.days(7),
    cloudwatch_logs_exports=["postgresql", "upgrade"],
    deletion_protection=True,
)
PublicSslDatabaseFunction(
    stack,
    "Order",
    database=database,
    acknowledge_public_access="a partner outside AWS reads it until 2027",
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(
        "import breakwater_runtime as breakwater\n\n\n"
        "def handler(event, context):\n"
        "    with breakwater.connection(context=context) as connection, connection.cursor() as cursor:\n"
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
    Validations.of(database).acknowledge(Acknowledgment(id=rule, reason="left out of the example"))

app.synth()
