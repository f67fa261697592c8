"""A database that the function's network does not lead to is named at synth; so is a server that lacks a setting."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match

from cdk_breakwater import ConnectionBudget, VpcDatabaseFunction

NO_WAY = Match.string_like_regexp("nothing in this app leads from one to the other")


@pytest.mark.parametrize("peered", [False, True])
def test_a_database_in_another_vpc(
    stack: cdk.Stack, database: rds.DatabaseInstance, code: dict[str, Any], peered: bool
) -> None:
    other = ec2.Vpc(stack, "Other", max_azs=2)
    if peered:
        ec2.CfnVPCPeeringConnection(stack, "Peering", vpc_id=other.vpc_id, peer_vpc_id=database.vpc.vpc_id)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=other, **code)
    assert bool(Annotations.from_stack(stack).find_warning("/Stack/Orders", NO_WAY)) is not peered


def test_a_database_in_another_region(app: cdk.App, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    elsewhere = cdk.Environment(account="123456789012", region="us-east-1")
    functions = cdk.Stack(app, "Functions", env=elsewhere, cross_region_references=True)
    VpcDatabaseFunction(functions, "Orders", database=database, vpc=ec2.Vpc(functions, "Vpc", max_azs=2), **code)
    found = functions.node.find_child("Orders").node.metadata
    (said,) = (entry.data for entry in found if "another-network" in str(entry.data))
    assert "Stack/Database is in eu-central-1, and the function in us-east-1" in said


def test_one_in_the_same_vpc(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    Annotations.from_stack(stack).has_no_warning("*", NO_WAY)


@pytest.mark.parametrize(("version", "warns"), [("13.20", True), ("14.17", False)])
def test_a_postgresql_without_idle_session_timeout(stack: cdk.Stack, vpc: ec2.Vpc, version: str, warns: bool) -> None:
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.of(version, version[:2]))
    database = rds.DatabaseInstance(
        stack, "Old", engine=engine, vpc=vpc, parameters={"max_connections": "100"}, storage_encrypted=True
    )
    ConnectionBudget.of(database).share("worker")
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("has no idle_session_timeout"))
    assert bool(found) is warns


def test_the_oldest_mysql_and_mariadb_of_rds_lack_nothing(stack: cdk.Stack, vpc: ec2.Vpc) -> None:
    """Session tracking, several named locks and limits of statements are there since MySQL 5.7.8 and MariaDB 10.2.2.

    Source: MySQL 5.7 Reference Manual, "Server System Variables" and "Locking Functions"; MariaDB documentation,
    "Session State Tracker", "GET_LOCK", "max_statement_time".
    """
    engines = {
        "MySql": rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("5.7.44", "5.7")),
        "MariaDb": rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.of("10.4.34", "10.4")),
    }
    for name, engine in engines.items():
        database = rds.DatabaseInstance(
            stack, name, engine=engine, vpc=vpc, parameters={"max_connections": "100"}, storage_encrypted=True
        )
        ConnectionBudget.of(database).share("worker")
    Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp(r"server-lacks-setting|has no \w+:"))
