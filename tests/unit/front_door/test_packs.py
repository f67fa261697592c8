"""Every source's front door passes the five packs of cdk-nag and this library's own checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from app import add_nag_packs
from aws_cdk import Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import (
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    DownstreamChecks,
    InvocationSource,
    VpcDatabaseFunction,
)

ROOT = Path(__file__).parents[3]


def test_every_sources_front_door_passes(tmp_path: Path, code: dict[str, Any]) -> None:
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(outdir=str(tmp_path), context=context)
    add_nag_packs(app)
    Validations.of(app).add_plugins(DownstreamChecks())
    stack = cdk.Stack(app, "Stack")
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
        max_connections=200,
        secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "orders/database"),
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "SecurityGroup", "sg-12345678"),
    )
    orders = dynamodb.TableV2(
        stack,
        "Orders",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        encryption=dynamodb.TableEncryptionV2.aws_managed_key(),
        point_in_time_recovery_specification={"point_in_time_recovery_enabled": True},
    )
    Validations.of(orders).acknowledge(
        *(
            cdk.Acknowledgment(id=f"{pack}-DynamoDBInBackupPlan", reason="the test's own table")
            for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
        )
    )
    for name, source in {
        "Queue": InvocationSource.sqs(),
        "Fifo": InvocationSource.sqs(fifo=True),
        "Stream": InvocationSource.kinesis(shard_count=1),
        "Table": InvocationSource.dynamodb_stream(orders),
    }.items():
        worker = VpcDatabaseFunction(stack, f"{name}Worker", database=database, vpc=vpc, **code)
        DecoupledInvocation(stack, f"{name}Jobs", function=worker, source=source).add_front_door("Door", path="orders")
    app.synth()
