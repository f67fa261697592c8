"""What most unit tests start from: a stack with a VPC and a small PostgreSQL whose max_connections is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # a test of plain arithmetic starts without the CDK
    import aws_cdk as cdk
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_rds as rds


@pytest.fixture
def context() -> dict[str, Any]:
    """The app's context, for tests to parametrize."""
    return {}


# What a test of a template reads holds the layer's hash. That the CDK also copies the layer beneath the template, and
# takes it away at the end, was a third of the time.
_NO_COPIES = {"aws:cdk:disable-asset-staging": True}


@pytest.fixture
def app(context: dict[str, Any]) -> cdk.App:
    import aws_cdk as cdk

    return cdk.App(context=_NO_COPIES | context)


@pytest.fixture
def stack(app: cdk.App) -> cdk.Stack:
    import aws_cdk as cdk

    return cdk.Stack(app, "Stack", env=cdk.Environment(account="123456789012", region="eu-central-1"))


@pytest.fixture
def vpc(stack: cdk.Stack) -> ec2.Vpc:
    from aws_cdk import aws_ec2 as ec2

    return ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1)


@pytest.fixture
def database(stack: cdk.Stack, vpc: ec2.Vpc) -> rds.DatabaseInstance:
    """112 connections, 12 of them reserved: 100 usable, 80 shared."""
    from aws_cdk import aws_rds as rds

    from tests.unit.databases import POSTGRESQL

    return rds.DatabaseInstance(
        stack, "Database", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "112"}, storage_encrypted=True
    )


@pytest.fixture
def code() -> dict[str, Any]:
    """What every function needs."""
    from aws_cdk import aws_lambda as lambda_

    return {
        "code": lambda_.Code.from_inline("def handler(event, context): pass"),
        "handler": "index.handler",
        "runtime": lambda_.Runtime.PYTHON_3_14,
    }
