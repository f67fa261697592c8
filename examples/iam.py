"""IAM database authentication: no password anywhere, a token for one user of one database."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import ConnectionBudget, DatabaseCredentials, VpcDatabaseFunction

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
# IAM database authentication is on, and the user orders_app has the role rds_iam.
database = rds.DatabaseInstance.from_database_instance_attributes(
    stack,
    "Database",
    instance_identifier="shop",
    instance_resource_id="db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    instance_endpoint_address="shop.example.eu-central-1.rds.amazonaws.com",
    port=5432,
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
    security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "DatabaseSecurityGroup", "sg-12345678")],
)
ConnectionBudget.of(database, max_connections=112)
VpcDatabaseFunction(
    stack,
    "Order",
    database=database,
    vpc=vpc,
    environment={"BREAKWATER_DATABASE": "shop"},
    credentials=DatabaseCredentials.iam("orders_app"),
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

app.synth()
