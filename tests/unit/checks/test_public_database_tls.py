from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from cdk_breakwater.checks.rules.public_database_tls import RULE

from .stacks import MYSQL_8, POSTGRES_16, instance, vpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_cdk import Stack

    from .conftest import Findings

POSTGRES_14 = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_14)
MARIADB_10 = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_10_11)
MARIADB_11_8 = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.of("11.8.3", "11.8"))
MYSQL_8_4 = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("8.4.8", "8.4"))
MYSQL_9_7 = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("9.7.0", "9.7"))
UNKNOWN_VERSION = rds.DatabaseInstanceEngine.POSTGRES
AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)
AURORA_MYSQL_8_4 = rds.DatabaseClusterEngine.aurora_mysql(
    version=rds.AuroraMysqlEngineVersion.of("8.4.mysql_aurora.8.4.7", "8.4")
)
AURORA_POSTGRES_16 = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6)


def public(engine: rds.IInstanceEngine, *, publicly_accessible: bool = True, **props: Any) -> Callable[[Stack], None]:
    def app(stack: Stack) -> None:
        subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
        instance(
            stack, vpc(stack), engine=engine, publicly_accessible=publicly_accessible, vpc_subnets=subnets, **props
        )

    return app


def public_cluster(engine: rds.IClusterEngine, **props: Any) -> Callable[[Stack], None]:
    def app(stack: Stack) -> None:
        rds.DatabaseCluster(
            stack,
            "Cluster",
            engine=engine,
            vpc=vpc(stack),
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            writer=rds.ClusterInstance.serverless_v2("Writer", publicly_accessible=True),
            **props,
        )

    return app


def with_a_group_of_others(stack: Stack) -> None:
    group = rds.ParameterGroup.from_parameter_group_name(stack, "Group", "theirs")
    public(MYSQL_8, parameter_group=group)(stack)


@pytest.mark.parametrize(
    ("app", "parameter"),
    [
        (public(MYSQL_8), "require_secure_transport"),
        (public(MYSQL_8, parameters={"require_secure_transport": "OFF"}), "require_secure_transport"),
        (public(MYSQL_8_4), "require_secure_transport"),
        (public(MYSQL_9_7, parameters={"require_secure_transport": "0"}), "require_secure_transport"),
        (public(MARIADB_10), "require_secure_transport"),
        (public(POSTGRES_14), "rds.force_ssl"),
        (public(POSTGRES_16, parameters={"rds.force_ssl": "0"}), "rds.force_ssl"),
        (public_cluster(AURORA_MYSQL), "require_secure_transport"),
        (public_cluster(AURORA_POSTGRES_16), "rds.force_ssl"),
    ],
)
def test_plain_text_from_the_internet(app: Callable[[Stack], None], parameter: str, findings: Findings) -> None:
    (finding,) = findings(RULE, app)
    assert finding.problem == f"{finding.resource.name} is publicly accessible, and {parameter} is not set."


@pytest.mark.parametrize(
    "app",
    [
        public(MYSQL_8, publicly_accessible=False),
        public(MYSQL_8, parameters={"require_secure_transport": "1"}),
        public(MYSQL_9_7),
        public_cluster(AURORA_MYSQL_8_4),
        public(MARIADB_11_8),
        public(POSTGRES_14, parameters={"rds.force_ssl": "1"}),
        public(POSTGRES_16),
        public(UNKNOWN_VERSION),
        public_cluster(AURORA_MYSQL, parameters={"require_secure_transport": "ON"}),
        public_cluster(AURORA_POSTGRES_16, parameters={"rds.force_ssl": "1"}),
        with_a_group_of_others,
    ],
)
def test_enforced_private_or_not_known(app: Callable[[Stack], None], findings: Findings) -> None:
    assert findings(RULE, app) == []
