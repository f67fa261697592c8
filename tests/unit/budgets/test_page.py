"""docs/budgets.md: its code runs, and its numbers are what the constructs compute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Match, Template

from cdk_breakwater import ConnectionBudget, DatabaseCredentials, Downstream, VpcDatabaseFunction
from tests.unit.databases import POSTGRESQL
from tests.unit.proxies.test_database_proxy import aurora, imported_proxy, l2_proxy

PAGE = (Path(__file__).parents[3] / "docs" / "budgets.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ROWS = {row.split(" | ")[0].removeprefix("| "): row for row in PAGE.splitlines() if row.startswith("| ")}


@pytest.fixture
def names(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> dict[str, Any]:
    instance: Any = {"engine": POSTGRESQL, "vpc": vpc, "parameters": {"max_connections": "112"}}
    return {
        "VpcDatabaseFunction": VpcDatabaseFunction,
        "DatabaseCredentials": DatabaseCredentials,
        "Downstream": Downstream,
        "stack": stack,
        "vpc": vpc,
        "db": database,
        "code": code,
        "imported": imported_proxy(stack),
        "stock": rds.DatabaseInstance(stack, "Stock", **instance),
        "archive": rds.DatabaseInstance(stack, "Archive", **instance),
        "cluster": aurora(stack, vpc, readers=1),
        "replica": rds.DatabaseInstanceReadReplica(
            stack, "Replica", source_database_instance=database, instance_type=ec2.InstanceType("m6g.large"), vpc=vpc
        ),
    }


@pytest.mark.parametrize("context", [{"account_concurrency": 3000}])
@pytest.mark.parametrize("block", [block for block in BLOCKS if "breakwater_runtime" not in block], ids=range(4))
def test_the_code(app: cdk.App, names: dict[str, Any], block: str) -> None:
    if "proxy=proxy" in block:  # every proxy of an app counts, also where nobody names it
        names["proxy"] = l2_proxy(names["stack"], "Mine", names["db"], names["vpc"], max_connections_percent=30)
    exec(compile(block, "docs/budgets.md", "exec"), names)  # noqa: S102 -- the page's own code
    app.synth()


def test_the_numbers(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, names: dict[str, Any]) -> None:
    exec(compile(BLOCKS[0], "docs/budgets.md", "exec"), names)  # noqa: S102 -- the page's own code
    pool, whole = ConnectionBudget.of(Downstream.proxy(database)), ConnectionBudget.of(database)
    assert f"70 % of {whole.max_connections} = {pool.max_connections} " in ROWS["the proxy's"]
    assert f"{pool.usable_connections} × 0.8 = {pool.shared_connections} " in ROWS["the proxy's"]
    left = f"{whole.max_connections} − {whole.reserved_connections} reserved − {whole.pool_connections} of proxies"
    assert f"{left} = {whole.usable_connections} " in ROWS["the database's"]
    assert f"{whole.usable_connections} × 0.8 = {whole.shared_connections} " in ROWS["the database's"]
    Template.from_stack(stack).has_resource_properties(
        "AWS::RDS::DBProxy", {"IdleClientTimeout": 360, "DBProxyName": Match.string_like_regexp("^Stack-")}
    )
    assert "360 s" in ROWS["idle client timeout"]
