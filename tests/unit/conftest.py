"""What most unit tests start from: a stack with a VPC and a small PostgreSQL whose max_connections is known."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

POSTGRESQL = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)


@pytest.fixture
def context() -> dict[str, Any]:
    """The app's context, for tests to parametrize."""
    return {}


@pytest.fixture
def app(context: dict[str, Any]) -> cdk.App:
    return cdk.App(context=context)


@pytest.fixture
def stack(app: cdk.App) -> cdk.Stack:
    return cdk.Stack(app, "Stack", env=cdk.Environment(account="123456789012", region="eu-central-1"))


@pytest.fixture
def vpc(stack: cdk.Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1)


@pytest.fixture
def database(stack: cdk.Stack, vpc: ec2.Vpc) -> rds.DatabaseInstance:
    """112 connections, 12 of them reserved: 100 usable, 80 shared."""
    return rds.DatabaseInstance(
        stack, "Database", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "112"}, storage_encrypted=True
    )


@pytest.fixture
def code() -> dict[str, Any]:
    """What every function needs."""
    return {
        "code": lambda_.Code.from_inline("def handler(event, context): pass"),
        "handler": "index.handler",
        "runtime": lambda_.Runtime.PYTHON_3_14,
    }


def imported_instance(stack: cdk.Stack, **options: Any) -> rds.IDatabaseInstance:
    """Import a PostgreSQL of which nothing is known but its address, unless options say more."""
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_identifier="shop",
        instance_endpoint_address="shop.example.net",
        port=5432,
        **{"engine": POSTGRESQL, "security_groups": [], **options},
    )
