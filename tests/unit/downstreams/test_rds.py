"""Where the number of an RDS database comes from: every engine, class, capacity and kind of parameter group."""

from __future__ import annotations

from typing import Any, cast

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Template
from constructs import IConstruct

from cdk_breakwater import BreakwaterError, ConnectionBudget
from tests.unit.databases import POSTGRESQL

ORACLE = rds.DatabaseInstanceEngine.oracle_se2(version=rds.OracleEngineVersion.VER_19)
SQL_SERVER = rds.DatabaseInstanceEngine.sql_server_ex(version=rds.SqlServerEngineVersion.VER_16)
MARIADB = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_10_11_11)
AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)
AURORA_POSTGRESQL = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_4)
LARGE = ec2.InstanceType("m5.large")


def found(database: Any) -> tuple[int, str]:
    budget = ConnectionBudget.of(database)
    return budget.max_connections, budget.basis


def instance(vpc: ec2.Vpc, engine: rds.IInstanceEngine, **options: Any) -> rds.DatabaseInstance:
    options.setdefault("license_model", rds.LicenseModel.LICENSE_INCLUDED if engine in (ORACLE, SQL_SERVER) else None)
    return rds.DatabaseInstance(
        cdk.Stack.of(vpc),
        "Database",
        engine=engine,
        vpc=vpc,
        instance_type=options.pop("instance_type", LARGE),
        **options,
    )


@pytest.mark.parametrize(
    ("engine", "parameters", "expected"),
    [
        (ORACLE, {"processes": "300"}, (300, "processes in the parameter group")),
        # 0.90 x 8 GiB - 256 MiB = 7462191923 bytes, and that / 9868951
        (ORACLE, None, (756, "estimated from db.m5.large's memory")),
        (ORACLE, {"max_connections": "7"}, (756, "estimated from db.m5.large's memory")),
        (SQL_SERVER, {"user connections": "200"}, (200, "user connections in the parameter group")),
        (SQL_SERVER, None, (32_767, "SQL Server's maximum, its default is unlimited")),
        (MARIADB, None, (296, "estimated from db.m5.large's memory")),
        (POSTGRESQL, {"max_connections": "LEAST({DBInstanceClassMemory/9531392},150)"}, (150, None)),
        (POSTGRESQL, {"max_connections": "GREATEST(200,100)"}, (200, "max_connections in the parameter group")),
    ],
)
def test_instances(
    vpc: ec2.Vpc, engine: rds.IInstanceEngine, parameters: dict[str, str] | None, expected: tuple[int, str | None]
) -> None:
    value, basis = found(instance(vpc, engine, parameters=parameters))
    assert value == expected[0]
    assert basis == (expected[1] or "estimated from max_connections in the parameter group")


def test_a_group_that_two_databases_share(stack: cdk.Stack, vpc: ec2.Vpc) -> None:
    group = rds.ParameterGroup(stack, "Group", engine=POSTGRESQL, parameters={"max_connections": "150"})
    databases = [
        rds.DatabaseInstance(stack, name, engine=POSTGRESQL, vpc=vpc, parameter_group=group) for name in ("One", "Two")
    ]
    assert [found(database)[0] for database in databases] == [150, 150]
    assert ConnectionBudget.of(databases[0]) is not ConnectionBudget.of(databases[1])


def test_an_l1_group(stack: cdk.Stack, vpc: ec2.Vpc) -> None:
    group = rds.CfnDBParameterGroup(
        stack, "Group", description="tuned", family="postgres17", parameters={"max_connections": 130}
    )
    database = instance(vpc, POSTGRESQL)
    database.node.default_child.db_parameter_group_name = group.ref  # pyrefly: ignore[missing-attribute]
    assert found(database) == (130, "max_connections in the parameter group")


def cluster(
    vpc: ec2.Vpc, engine: rds.IClusterEngine, *classes: str, own: str | None = None, **options: Any
) -> rds.DatabaseCluster:
    """Make a cluster of the classes, `serverless` among them; `own` is the writer's own max_connections."""

    def member(position: int, name: str) -> rds.IClusterInstance:
        if name == "serverless":
            return rds.ClusterInstance.serverless_v2(f"i{position}")
        parameters = {"max_connections": own} if own and position == 0 else None
        return rds.ClusterInstance.provisioned(
            f"i{position}", instance_type=ec2.InstanceType(name), parameters=parameters
        )

    writer, *readers = [member(position, name) for position, name in enumerate(classes)]
    return rds.DatabaseCluster(
        cdk.Stack.of(vpc), "Cluster", engine=engine, vpc=vpc, writer=writer, readers=readers, **options
    )


def group(vpc: ec2.Vpc, engine: rds.IClusterEngine, value: str) -> rds.ParameterGroup:
    return rds.ParameterGroup(cdk.Stack.of(vpc), "Group", engine=engine, parameters={"max_connections": value})


@pytest.mark.parametrize(
    ("engine", "classes", "capacity", "expected"),
    [
        (AURORA_MYSQL, ["r6g.large"], {}, (1000, "Aurora MySQL's table for db.r6g.large")),
        (AURORA_MYSQL, ["r6g.large", "r6g.4xlarge"], {}, (1000, "Aurora MySQL's table for db.r6g.large")),
        # mixed: the serverless reader may become the writer
        (AURORA_MYSQL, ["r6g.2xlarge", "serverless"], {"serverless_v2_max_capacity": 4}, (135, None)),
        (AURORA_MYSQL, ["serverless", "r6g.large"], {"serverless_v2_max_capacity": 64}, (1000, None)),
        (
            AURORA_POSTGRESQL,
            ["serverless"],
            {"serverless_v2_min_capacity": 0, "serverless_v2_max_capacity": 16},
            (2000, "Aurora PostgreSQL's cap for a minimum below 1 ACU"),
        ),
        (
            AURORA_POSTGRESQL,
            ["serverless"],
            {"serverless_v2_min_capacity": 1, "serverless_v2_max_capacity": 16},
            (3360, "Aurora's table for a maximum of 16 ACU"),
        ),
    ],
)
def test_clusters(
    vpc: ec2.Vpc,
    engine: rds.IClusterEngine,
    classes: list[str],
    capacity: dict[str, int],
    expected: tuple[int, str | None],
) -> None:
    value, basis = found(cluster(vpc, engine, *classes, **capacity))
    assert value == expected[0]
    assert expected[1] is None or basis == expected[1]


def test_the_clusters_group_counts_for_all_of_its_instances(vpc: ec2.Vpc) -> None:
    database = cluster(vpc, AURORA_MYSQL, "r6g.large", "r6g.4xlarge", parameter_group=group(vpc, AURORA_MYSQL, "700"))
    assert found(database) == (700, "max_connections in the parameter group")


def test_an_instances_own_group_counts_before_the_clusters(vpc: ec2.Vpc) -> None:
    database = cluster(vpc, AURORA_MYSQL, "r6g.large", own="300", parameter_group=group(vpc, AURORA_MYSQL, "700"))
    assert found(database)[0] == 300


def test_a_class_that_is_changed_later(stack: cdk.Stack, vpc: ec2.Vpc) -> None:
    database = cluster(vpc, AURORA_MYSQL, "r6g.large")
    assert found(database)[0] == 1000
    writer = database.node.find_child("i0").node.default_child
    writer.db_instance_class = "db.r6g.xlarge"  # pyrefly: ignore[missing-attribute]
    assert found(database)[0] == 2000


@jsii.implements(cdk.IAspect)
class _Larger:
    def visit(self, node: IConstruct) -> None:
        if isinstance(node, rds.CfnDBInstance):
            node.db_instance_class = "db.r6g.xlarge"


def test_an_aspect_counts_in_the_template(app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    share = ConnectionBudget.of(cluster(vpc, AURORA_MYSQL, "r6g.large"), utilization=0.4).share("worker")
    share.limit(lambda_.Function(stack, "Worker", **code), overlap=False)
    assert share.resolve() == 398
    cdk.Aspects.of(app).add(cast("cdk.IAspect", _Larger()))
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function",
        {"ReservedConcurrentExecutions": 798},  # (2000 - 5) x 0.4
    )


class TestErrors:
    def test_a_class_that_is_a_token(self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        size = cdk.CfnParameter(stack, "Size").value_as_string
        ConnectionBudget.of(instance(vpc, POSTGRESQL, instance_type=ec2.InstanceType(size)))
        with pytest.raises(
            RuntimeError,
            match=r"Database/ConnectionBudget\] the instance class is a token and known only at deployment",
        ):
            app.synth()

    def test_a_parameter_that_is_a_token(self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        number = cdk.CfnParameter(stack, "Number").value_as_string
        ConnectionBudget.of(instance(vpc, POSTGRESQL, parameters={"max_connections": number}))
        with pytest.raises(RuntimeError, match=r"max_connections of the parameter group is a token .*Pass max_conn"):
            app.synth()

    def test_a_cluster_without_an_instance(self, vpc: ec2.Vpc) -> None:
        database = cluster(vpc, AURORA_MYSQL, "r6g.large")
        database.node.try_remove_child("i0")
        with pytest.raises(BreakwaterError, match=r"the cluster has no instance in this app\. Pass max_connections=…"):
            found(database)
