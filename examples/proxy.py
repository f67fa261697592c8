"""Functions before an RDS Proxy: they share the connections of its pool, those beside it what the pool leaves."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import DatabaseCredentials, VpcDatabaseFunction

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
database = rds.DatabaseInstance(
    stack,
    "Database",
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_9),
    vpc=vpc,
    publicly_accessible=False,
    port=5433,
    database_name="shop",
    parameters={"max_connections": "112"},
    storage_encrypted=True,
    multi_az=True,
    backup_retention=Duration.days(7),
    cloudwatch_logs_exports=["postgresql", "upgrade"],
    deletion_protection=True,
)
code = lambda_.Code.from_inline(
    "import breakwater_runtime as breakwater\n\n"
    "database = breakwater.database()\n\n\n"
    "def handler(event, context):\n"
    "    with database.connection(context) as connection, connection.cursor() as cursor:\n"
    "        cursor.execute('SELECT 1')\n"
    "        return cursor.fetchone()[0]\n"
)
# The pool has 70 % of 112 connections, 78, of which these two share 0.8: 31 each. The second logs in by IAM, to the
# proxy and from there to the database.
for name, credentials in (("Order", None), ("Report", DatabaseCredentials.iam("reports"))):
    VpcDatabaseFunction(
        stack,
        name,
        database=database,
        vpc=vpc,
        proxy=True,
        credentials=credentials,
        runtime=lambda_.Runtime.PYTHON_3_14,
        handler="index.handler",
        code=code,
    )
# It needs a session of its own, for advisory locks, say: (112 - 12 of PostgreSQL's own - 78) x 0.8 = 17.
VpcDatabaseFunction(
    stack,
    "Nightly",
    database=database,
    vpc=vpc,
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=code,
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
