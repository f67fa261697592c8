"""An app whose network, addresses and keys are looked up in its account."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm

from cdk_breakwater import (
    DatabaseCredentials,
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    PublicSslDatabaseFunction,
    ThrottledApi,
    VpcDatabaseFunction,
)

POSTGRESQL = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
CODE: dict[str, Any] = {
    "code": lambda_.Code.from_inline("def handler(event, context): pass"),
    "handler": "index.handler",
    "runtime": lambda_.Runtime.PYTHON_3_14,
}


def subnets(**selection: Any) -> dict[str, Any]:
    return {"vpc_subnets": ec2.SubnetSelection(**selection)}


def database_in(vpc: ec2.IVpc, id: str, **options: Any) -> rds.DatabaseInstance:
    return rds.DatabaseInstance(
        cdk.Stack.of(vpc),
        id,
        engine=POSTGRESQL,
        vpc=vpc,
        parameters={"max_connections": "112"},
        storage_encrypted=True,
        **options,
    )


def build(app: cdk.App) -> None:
    stack = cdk.Stack(app, "Shop", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    vpc = ec2.Vpc.from_lookup(stack, "Vpc", vpc_name="main")
    group = ec2.SecurityGroup.from_lookup_by_id(stack, "Group", "sg-0database")
    key = kms.Key.from_lookup(stack, "Key", alias_name="alias/shop")
    secret = secretsmanager.Secret.from_secret_complete_arn(
        stack, "Secret", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"
    )

    database = database_in(vpc, "Database")
    orders = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **CODE)
    VpcDatabaseFunction(stack, "Proxied", database=database, vpc=vpc, proxy=True, security_groups=[group], **CODE)
    isolated = subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    VpcDatabaseFunction(stack, "Isolated", database=database, vpc=vpc, **isolated, **CODE)
    VpcDatabaseFunction(stack, "Named", database=database, vpc=vpc, **subnets(subnet_group_name="Apps"), **CODE)

    partner = Downstream.endpoint(
        stack,
        "Partner",
        host=ssm.StringParameter.value_from_lookup(stack, "/partner/host"),
        engine=DatabaseEngine.POSTGRESQL,
        max_connections=100,
        security_group=group,
    )
    login = DatabaseCredentials.secret(secret)
    VpcDatabaseFunction(stack, "Sync", database=partner, vpc=vpc, credentials=login, **CODE)

    public = database_in(vpc, "Public", publicly_accessible=True, **subnets(subnet_type=ec2.SubnetType.PUBLIC))
    PublicSslDatabaseFunction(
        stack,
        "Export",
        database=public,
        acknowledge_public_access="the partner's office",
        allowed_cidrs=[ssm.StringParameter.value_from_lookup(stack, "/partner/cidr")],
        **CODE,
    )
    DecoupledInvocation(stack, "Jobs", function=orders, source=InvocationSource.sqs(encryption_key=key))
    ThrottledApi(stack, "Api", function=orders, rate_limit=5)


if __name__ == "__main__":
    cdk_app = cdk.App()
    build(cdk_app)
    cdk_app.synth()
