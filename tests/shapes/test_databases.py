"""What functions connect to: every kind of database, where its number comes from, and how it is reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_docdb as docdb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import (
    DataApiFunction,
    DatabaseCredentials,
    DatabaseEngine,
    Downstream,
    PublicSslDatabaseFunction,
    VpcDatabaseFunction,
)

from .conftest import Templates, code, database_in, stack_in, vpc_in

Synthesize = Callable[[], Templates]
AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_10_0)
AURORA_POSTGRESQL = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_4)
LARGE = rds.ClusterInstance.provisioned("large", instance_type=ec2.InstanceType("r6g.large"))
SERVERLESS = rds.ClusterInstance.serverless_v2("serverless")


@pytest.fixture
def stack(app: cdk.App) -> cdk.Stack:
    return stack_in(app, "Shop")


@pytest.fixture
def vpc(stack: cdk.Stack) -> ec2.Vpc:
    return vpc_in(stack)


def variables(templates: Templates) -> dict[str, Any]:
    return templates["Shop"].one("AWS::Lambda::Function")["Environment"]["Variables"]


@pytest.mark.parametrize(
    ("engine", "instances", "capacity", "max_connections"),
    [
        # provisioned; serverless; mixed, where any instance may become the writer
        (AURORA_MYSQL, [LARGE], {}, "1000"),
        (AURORA_POSTGRESQL, [SERVERLESS], {"serverless_v2_min_capacity": 1, "serverless_v2_max_capacity": 8}, "1669"),
        (AURORA_POSTGRESQL, [SERVERLESS], {"serverless_v2_max_capacity": 64}, "2000"),
        (AURORA_MYSQL, [LARGE, SERVERLESS], {"serverless_v2_max_capacity": 4}, "135"),
    ],
)
def test_aurora(
    stack: cdk.Stack,
    vpc: ec2.Vpc,
    synthesized: Synthesize,
    engine: rds.IClusterEngine,
    instances: list[rds.IClusterInstance],
    capacity: dict[str, int],
    max_connections: str,
) -> None:
    cluster = rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=engine,
        vpc=vpc,
        writer=instances[0],
        readers=instances[1:],
        storage_encrypted=True,
        **capacity,
    )
    VpcDatabaseFunction(stack, "Orders", database=cluster, vpc=vpc, concurrency=50, **code())
    assert variables(synthesized())["BREAKWATER_MAX_CONNECTIONS"] == max_connections


def test_isolated_subnets(stack: cdk.Stack, synthesized: Synthesize) -> None:
    isolated = ec2.SubnetType.PRIVATE_ISOLATED
    vpc = ec2.Vpc(
        stack,
        "Isolated",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[ec2.SubnetConfiguration(name="Isolated", subnet_type=isolated)],
    )
    database = database_in(vpc, vpc_subnets=ec2.SubnetSelection(subnet_type=isolated))
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code())
    templates = synthesized()
    assert "secretsmanager" in str(templates["Shop"].one("AWS::EC2::VPCEndpoint")["ServiceName"])


def test_one_security_group_for_functions_and_database(stack: cdk.Stack, vpc: ec2.Vpc, synthesized: Synthesize) -> None:
    group = ec2.SecurityGroup(stack, "Group", vpc=vpc)
    database = database_in(vpc, security_groups=[group])
    for name in ("Orders", "Reports"):
        VpcDatabaseFunction(stack, name, database=database, vpc=vpc, security_groups=[group], **code())
    template = synthesized()["Shop"]
    rule = template.one("AWS::EC2::SecurityGroupIngress")
    assert rule["GroupId"] == rule["SourceSecurityGroupId"]
    assert template.concurrency == [40, 40]


def test_an_aspect_that_changes_the_class(stack: cdk.Stack, vpc: ec2.Vpc, synthesized: Synthesize) -> None:
    database = database_in(vpc, parameters=None, instance_type=ec2.InstanceType("r6g.4xlarge"))
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, concurrency=20, **code())

    @jsii.implements(cdk.IAspect)
    class Cheaper:
        def visit(self, node: Any) -> None:
            if isinstance(node, rds.CfnDBInstance):
                node.db_instance_class = "db.t4g.micro"

    cdk.Aspects.of(stack).add(Cheaper())
    # 1 GiB: 0.90 x 1024 - 256 MiB, divided by 9531392
    assert variables(synthesized())["BREAKWATER_MAX_CONNECTIONS"] == "73"


def test_a_parameter_group_that_was_there(stack: cdk.Stack, vpc: ec2.Vpc, synthesized: Synthesize) -> None:
    group = rds.CfnDBParameterGroup(
        stack, "Tuned", description="tuned", family="postgres17", parameters={"max_connections": "LEAST(200,150)"}
    )
    database = database_in(vpc, parameters=None)
    database.node.default_child.db_parameter_group_name = group.ref  # pyrefly: ignore[missing-attribute]
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code())
    templates = synthesized()
    assert variables(templates)["BREAKWATER_MAX_CONNECTIONS"] == "150"
    assert len(templates["Shop"].all("AWS::RDS::DBParameterGroup")) == 1


def test_a_public_database(stack: cdk.Stack, vpc: ec2.Vpc, synthesized: Synthesize) -> None:
    public = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
    database = database_in(vpc, vpc_subnets=public, publicly_accessible=True)
    PublicSslDatabaseFunction(
        stack,
        "Partner",
        database=database,
        acknowledge_public_access="a partner reads it until 2027",
        allowed_cidrs=["203.0.113.0/24"],
        **code(),
    )
    templates = synthesized()
    parameters = templates["Shop"].one("AWS::RDS::DBParameterGroup")["Parameters"]
    assert parameters == {"max_connections": "112", "rds.force_ssl": "1"}
    assert "VpcConfig" not in templates["Shop"].one("AWS::Lambda::Function")


def test_the_data_api(stack: cdk.Stack, vpc: ec2.Vpc, synthesized: Synthesize) -> None:
    cluster = rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=AURORA_POSTGRESQL,
        vpc=vpc,
        writer=SERVERLESS,
        enable_data_api=True,
        storage_encrypted=True,
    )
    DataApiFunction(stack, "Query", cluster=cluster, **code())
    templates = synthesized()
    assert templates["Shop"].one("AWS::RDS::DBCluster")["EnableHttpEndpoint"] is True
    assert "VpcConfig" not in templates["Shop"].one("AWS::Lambda::Function")


def test_iam_and_no_password(stack: cdk.Stack, vpc: ec2.Vpc, synthesized: Synthesize) -> None:
    database = database_in(vpc)
    VpcDatabaseFunction(
        stack, "Orders", database=database, vpc=vpc, credentials=DatabaseCredentials.iam("app"), **code()
    )
    templates = synthesized()
    assert templates["Shop"].one("AWS::RDS::DBInstance")["EnableIAMDatabaseAuthentication"] is True
    assert "BREAKWATER_SECRET_ARN" not in variables(templates)


def test_documents_and_a_cache(stack: cdk.Stack, vpc: ec2.Vpc, synthesized: Synthesize) -> None:
    documents = docdb.DatabaseCluster(
        stack,
        "Documents",
        vpc=vpc,
        master_user=docdb.Login(username="app"),
        engine_version="5.0.0",
        serverless_v2_scaling_configuration=docdb.ServerlessV2ScalingConfiguration(min_capacity=0.5, max_capacity=8),
    )
    docdb.DatabaseInstance(stack, "Instance", cluster=documents, instance_type=ec2.InstanceType("serverless"))
    cache = elasticache.CfnServerlessCache(stack, "Cache", engine="valkey", serverless_cache_name="sessions")
    VpcDatabaseFunction(stack, "Catalogue", database=documents, vpc=vpc, **code())
    VpcDatabaseFunction(stack, "Sessions", database=cache, vpc=vpc, concurrency=30, **code())
    # 39 x 0.8, and two connections for each environment
    assert synthesized()["Shop"].concurrency == [15, 30]


def test_atlas_beyond_the_nat_gateway(stack: cdk.Stack, vpc: ec2.Vpc, synthesized: Synthesize) -> None:
    atlas = Downstream.endpoint(
        stack,
        "Atlas",
        host="cluster0.example.net",
        engine=DatabaseEngine.MONGODB,
        atlas_tier="M0",
    )
    login = DatabaseCredentials.secret(secretsmanager.Secret(stack, "Login"))
    VpcDatabaseFunction(stack, "Catalogue", database=atlas, vpc=vpc, credentials=login, **code())
    template = synthesized()["Shop"]
    # (500 - 10) x 0.8 = 392, and two connections for each environment
    assert template.concurrency == [196]
    (group,) = template.all("AWS::EC2::SecurityGroup").values()
    assert 27017 in [rule["ToPort"] for rule in group["SecurityGroupEgress"]]
