"""Raw L2 constructs, as apps without this library have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

if TYPE_CHECKING:
    from constructs import Construct

LAMBDA: Any = iam.ServicePrincipal("lambda.amazonaws.com")
POSTGRES_16 = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_16)
MYSQL_8 = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_4_8)
T4G_MICRO = ec2.InstanceType("t4g.micro")


def function(scope: Construct, id_: str = "Function", **props: Any) -> Any:  # jsii's classes don't match its interfaces
    code = lambda_.Code.from_inline("def handler(event, context): pass")
    return lambda_.Function(
        scope, id_, runtime=lambda_.Runtime.PYTHON_3_14, handler="index.handler", code=code, **props
    )


def vpc(stack: Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)


def instance(stack: Stack, network: ec2.IVpc, **props: Any) -> rds.DatabaseInstance:
    defaults: dict[str, Any] = {
        "engine": MYSQL_8,
        "instance_type": T4G_MICRO,
        "vpc_subnets": ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
    }
    return rds.DatabaseInstance(stack, "Database", vpc=network, **(defaults | props))
