"""docs/max_connections.md: its code runs, and its numbers are those of the tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import VpcDatabaseFunction
from cdk_breakwater.limits.engines import DatabaseEngine as Engine
from cdk_breakwater.limits.max_connections import for_instance_class, from_parameter
from cdk_breakwater.limits.service_limits import for_atlas_tier, for_cache_node, for_documentdb_serverless, for_engine

PAGE = (Path(__file__).parents[3] / "docs" / "max_connections.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ROWS = {row.split(" | ")[0].removeprefix("| "): row for row in PAGE.splitlines() if row.startswith("| ")}


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_code(
    app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any], block: str
) -> None:
    names: dict[str, Any] = {"stack": stack, "vpc": vpc, "db": database, "code": code}
    names |= {"VpcDatabaseFunction": VpcDatabaseFunction, "secret": secretsmanager.Secret(stack, "Login")}
    exec(compile(block, "docs/max_connections.md", "exec"), names)  # noqa: S102 -- the page's own code
    app.synth()


@pytest.mark.parametrize(
    ("row", "engine"),
    [
        ("RDS MySQL", Engine.MYSQL),
        ("RDS MariaDB", Engine.MARIADB),
        ("RDS PostgreSQL", Engine.POSTGRESQL),
        ("RDS for Oracle", Engine.ORACLE),
    ],
)
def test_the_formulas(row: str, engine: Engine) -> None:
    formula = re.findall(r"by default `(.*?)`", ROWS[row])[0]
    for class_ in ("db.m5.large", "db.r5.24xlarge"):
        assert from_parameter(engine, formula, class_).value == for_instance_class(engine, class_).value


def test_the_numbers() -> None:
    assert str(for_instance_class(Engine.SQL_SERVER, "db.m5.large").value) in ROWS["RDS for SQL Server"]
    assert f"{for_engine(Engine.AURORA_DSQL).value} per cluster" in ROWS["Aurora DSQL"]
    assert f"{for_documentdb_serverless(0.5).value} for 0.5" in ROWS["DocumentDB"]
    cache = ROWS["ElastiCache for Valkey and Redis OSS"]
    assert f"{for_engine(Engine.VALKEY).value}; {for_cache_node('cache.t3.small').value} on" in cache
    assert f"{for_cache_node('cache.t4g.micro').value} on `t2`" in cache
    for tier, limit in re.findall(r"`(M\d+)` (\d+)", ROWS["MongoDB Atlas"]):
        assert for_atlas_tier(tier).value == int(limit)
