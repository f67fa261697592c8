"""Logins by IAM: turned on at the database, granted for one user of one resource, refused where there is none."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Template

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseCredentials,
    DatabaseEngine,
    Downstream,
    VpcDatabaseFunction,
)
from tests.unit.databases import POSTGRESQL, imported_instance
from tests.unit.functions.database_users.test_user import imported, secret
from tests.unit.proxies.test_database_proxy import aurora

LOGIN = DatabaseCredentials.iam("orders")


def connecting(template: Template) -> dict[str, Any]:
    """Give the one statement that allows a login."""
    policies = template.find_resources("AWS::IAM::Policy").values()
    (found,) = (
        statement
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "rds-db:connect"
    )
    return found


@pytest.mark.parametrize("readers", [False, True])
def test_a_cluster(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], readers: bool) -> None:
    cluster = aurora(stack, vpc, readers=1)
    database = Downstream.readers(cluster) if readers else cluster
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, concurrency=5, credentials=LOGIN, **code)
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::RDS::DBCluster", {"EnableIAMDatabaseAuthentication": True})
    (cluster_id,) = template.find_resources("AWS::RDS::DBCluster")
    resource_id = {"Fn::GetAtt": [cluster_id, "DBClusterResourceId"]}
    assert connecting(template)["Resource"]["Fn::Join"][1][-2:] == [resource_id, "/orders"]


def test_an_instance(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=LOGIN, **code)
    template = Template.from_stack(stack)
    resource_id = {"Fn::GetAtt": ["DatabaseB269D8BB", "DbiResourceId"]}
    assert connecting(template)["Resource"]["Fn::Join"][1][-2:] == [resource_id, "/orders"]


def test_the_administrators_secret_verifies(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    login = DatabaseCredentials.iam("orders", administrator=secret(stack))
    VpcDatabaseFunction(
        stack, "Orders", database=imported(stack), vpc=vpc, credentials=login, verify_at_deploy=True, **code
    )
    template = Template.from_stack(stack)
    template.has_resource_properties("Custom::MaxConnections", {"MaxConnections": "112"})
    template.resource_count_is("Custom::DatabaseUser", 0)


@pytest.mark.parametrize("clustered", [False, True])
def test_turned_off(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], clustered: bool) -> None:
    options: dict[str, Any] = {"vpc": vpc, "iam_authentication": False}
    database = (
        rds.DatabaseCluster(
            stack,
            "Off",
            engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_4),
            writer=rds.ClusterInstance.serverless_v2("Writer"),
            **options,
        )
        if clustered
        else rds.DatabaseInstance(stack, "Off", engine=POSTGRESQL, **options)
    )
    with pytest.raises(
        BreakwaterError, match=r"Stack/Off: iam_authentication=False .* logs in as 'orders' by IAM\. Leave it out, or"
    ):
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=LOGIN, **code)


def test_sql_server(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    engine = rds.DatabaseInstanceEngine.sql_server_ex(version=rds.SqlServerEngineVersion.VER_16)
    database = rds.DatabaseInstance(stack, "Ledger", engine=engine, vpc=vpc)
    code["runtime"] = lambda_.Runtime.NODEJS_22_X
    with pytest.raises(
        BreakwaterError, match=r"Stack/Ledger: .* as 'orders' is for MySQL, MariaDB and PostgreSQL, and it is sqlserver"
    ):
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, concurrency=5, credentials=LOGIN, **code)


def test_an_instance_imported_without_its_resource_id(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    database = imported_instance(stack)
    with pytest.raises(
        BreakwaterError, match=r"Stack/Imported: it is imported without its resource id.*instance_resource_id='db-…'\."
    ):
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=LOGIN, **code)


def test_a_cluster_imported_without_its_resource_id(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    database = rds.DatabaseCluster.from_database_cluster_attributes(
        stack,
        "Imported",
        cluster_identifier="shop",
        cluster_endpoint_address="shop.example.net",
        port=5432,
        engine=rds.DatabaseClusterEngine.AURORA_POSTGRESQL,
    )
    with pytest.raises(
        BreakwaterError, match=r"Stack/Imported: it is imported .*cluster_resource_identifier='cluster-…'\."
    ):
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=LOGIN, **code)


def test_a_cluster_imported_without_an_endpoint(stack: cdk.Stack) -> None:
    engine = rds.DatabaseClusterEngine.AURORA_POSTGRESQL
    database = rds.DatabaseCluster.from_database_cluster_attributes(
        stack, "Imported", cluster_identifier="shop", engine=engine
    )
    with pytest.raises(BreakwaterError, match=r"Stack/Imported: its endpoint is not known\. .*address=… and port=…"):
        ConnectionBudget.of(database)


def test_a_server_elsewhere(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    endpoint = Downstream.endpoint(
        stack, "Endpoint", host="db.example.net", engine=DatabaseEngine.POSTGRESQL, max_connections=100
    )
    with pytest.raises(
        BreakwaterError, match=r"Stack/Endpoint: .* as 'orders' is for databases of RDS and Aurora\. Pass credentials="
    ):
        VpcDatabaseFunction(stack, "Orders", database=endpoint, vpc=vpc, credentials=LOGIN, **code)
