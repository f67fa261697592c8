"""A function with two databases: it has the smaller of its shares, and other functions have what it cannot use."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import VpcDatabaseFunction

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
kept = {
    "vpc": vpc,
    "publicly_accessible": False,
    "storage_encrypted": True,
    "multi_az": True,
    "backup_retention": Duration.days(7),
    "deletion_protection": True,
}
shop = rds.DatabaseInstance(
    stack,
    "Shop",
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_9),
    port=5433,
    database_name="shop",
    parameters={"max_connections": "112"},
    cloudwatch_logs_exports=["postgresql", "upgrade"],
    **kept,
)
stock = rds.DatabaseInstance(
    stack,
    "Stock",
    engine=rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_11_4_8),
    port=3307,
    database_name="stock",
    parameters={"max_connections": "45"},
    cloudwatch_logs_exports=["audit", "error", "general", "slowquery"],
    **kept,
)
order = VpcDatabaseFunction(
    stack,
    "Order",
    database=shop,
    vpc=vpc,
    # One layer with both drivers; without it a second layer would bring the second one.
    drivers=["psycopg[binary]==3.3.9", "pymysql==1.2.4"],
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(
        "import breakwater_runtime as breakwater\n\n"
        "shop = breakwater.database()\n"
        "stock = breakwater.database('stock')\n\n\n"
        "def handler(event, context):\n"
        "    with stock.connection(context) as connection, connection.cursor() as cursor:\n"
        "        cursor.execute('SELECT 1')\n"
        "    with shop.connection(context) as connection, connection.cursor() as cursor:\n"
        "        cursor.execute('SELECT 1')\n"
        "        return cursor.fetchone()[0]\n"
    ),
)
order.add_database("stock", database=stock)
# Order has (45 - 5 of MariaDB's own) x 0.8 = 32, all that Stock has to share. Half of the Shop's 80 would be 40: so
# Report has 48.
VpcDatabaseFunction(
    stack,
    "Report",
    database=shop,
    vpc=vpc,
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(
        "import breakwater_runtime as breakwater\n\n"
        "shop = breakwater.database()\n\n\n"
        "def handler(event, context):\n"
        "    with shop.connection(context) as connection, connection.cursor() as cursor:\n"
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
    for database in (shop, stock):
        Validations.of(database).acknowledge(Acknowledgment(id=rule, reason="left out of the example"))

app.synth()
