"""A Node.js function beside its database: the layer with serverless-postgres and `withDatabase` is there by itself."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import DatabaseEngine, Downstream, VpcDatabaseFunction

app = cdk.App()
stack = cdk.Stack(app, "Orders")

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
    host="orders.example.net",
    port=5432,
    engine=DatabaseEngine.POSTGRESQL,
    max_connections=60,
    secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "orders/database"),
    security_group=ec2.SecurityGroup.from_security_group_id(stack, "DatabaseSecurityGroup", "sg-12345678"),
)
# TypeScript: Code.from_custom_command("dist", ["npx", "esbuild", "orders.ts", "--bundle", "--platform=node",
# "--format=esm", "--outfile=dist/orders.mjs", "--external:breakwater-runtime", "--external:@aws-sdk/*"])
VpcDatabaseFunction(
    stack,
    "Order",
    database=database,
    vpc=vpc,
    runtime=lambda_.Runtime.NODEJS_24_X,
    handler="orders.handler",
    code=lambda_.Code.from_asset(str(Path(__file__).parent / "nodejs")),
)

app.synth()
