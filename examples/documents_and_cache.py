"""DocumentDB, ElastiCache and MongoDB Atlas: each tells its own number of connections."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_docdb as docdb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import DatabaseEngine, Downstream, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Shop", env=cdk.Environment(account="123456789012", region="eu-central-1"))

vpc = ec2.Vpc.from_vpc_attributes(
    stack,
    "Vpc",
    vpc_id="vpc-12345678",
    vpc_cidr_block="10.0.0.0/16",
    availability_zones=["eu-central-1a", "eu-central-1b"],
    private_subnet_ids=["subnet-12345678", "subnet-87654321"],
)

# 39 active connections at the minimum of 0.5 DCU. PyMongo holds two in each environment: 39 x 0.8 / 2 = 15.
documents = docdb.DatabaseCluster(
    stack,
    "Documents",
    vpc=vpc,
    engine_version="5.0.0",
    serverless_v2_scaling_configuration=docdb.ServerlessV2ScalingConfiguration(min_capacity=0.5, max_capacity=8),
    master_user=docdb.Login(username="app"),
    backup=docdb.BackupProps(retention=Duration.days(7)),
    export_audit_logs_to_cloud_watch=True,
    export_profiler_logs_to_cloud_watch=True,
    deletion_protection=True,
    port=27018,
)
# Without an instance, nothing answers.
docdb.DatabaseInstance(stack, "DocumentsInstance", cluster=documents, instance_type=ec2.InstanceType("serverless"))
# 65,000, which is more than an account's concurrency, so that its functions say how many they want.
sessions_group = ec2.SecurityGroup(stack, "SessionsGroup", vpc=vpc, allow_all_outbound=False)
sessions = elasticache.CfnServerlessCache(
    stack,
    "Sessions",
    engine="valkey",
    serverless_cache_name="sessions",
    security_group_ids=[sessions_group.security_group_id],
    subnet_ids=[subnet.subnet_id for subnet in vpc.private_subnets],
)
# 3,000 per node.
catalogue = Downstream.endpoint(
    stack,
    "Catalogue",
    host="cluster0.example.net",
    engine=DatabaseEngine.MONGODB,
    atlas_tier="M30",
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "CatalogueLogin", "shop/catalogue"),
)

CALLS = {
    "documents": "breakwater.mongo()['shop']['orders'].find_one()",
    "sessions": "breakwater.redis().get('session')",
    "catalogue": "breakwater.mongo()['shop']['articles'].find_one()",
}


def code(call: str) -> lambda_.Code:
    return lambda_.Code.from_inline(
        f"import breakwater_runtime as breakwater\n\n\ndef handler(event, context):\n    return str({CALLS[call]})\n"
    )


options = {"vpc": vpc, "handler": "index.handler", "runtime": lambda_.Runtime.PYTHON_3_14}
VpcDatabaseFunction(stack, "Order", database=documents, code=code("documents"), **options)
VpcDatabaseFunction(stack, "Session", database=sessions, concurrency=50, code=code("sessions"), **options)
VpcDatabaseFunction(stack, "Article", database=catalogue, concurrency=100, code=code("catalogue"), **options)

# Rotation and keys of one's own are the app's choice, and left out here.
for rule in (
    "AwsSolutions-SMG4",
    *(
        f"{pack}-{name}"
        for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
        for name in ("SecretsManagerRotationEnabled", "SecretsManagerUsingKMSKey")
    ),
):
    Validations.of(documents).acknowledge(Acknowledgment(id=rule, reason="left out of the example"))
# The user's name is in the secret, which the rule cannot read; CloudFormation calls the logs audit and profiler.
for rule in (
    "AwsSolutions-DOC3",
    *(f"AwsSolutions-DOC5[LogExport::{name}]" for name in ("authenticate", "createIndex", "dropCollection")),
):
    Validations.of(documents).acknowledge(Acknowledgment(id=rule, reason="it is so, and the rule cannot read it"))

app.synth()
