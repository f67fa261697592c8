"""What a property override or an Aspect changes counts as if it had been given to the construct."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match, Template
from constructs import IConstruct

from cdk_breakwater import ConnectionBudget, Downstream, VpcDatabaseFunction

POSTGRESQL = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_4)


@pytest.fixture
def cluster(stack: cdk.Stack, vpc: ec2.Vpc) -> rds.DatabaseCluster:
    """1669 connections at 8 ACU."""
    return rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=POSTGRESQL,
        vpc=vpc,
        writer=rds.ClusterInstance.serverless_v2("Writer"),
        serverless_v2_min_capacity=1,
        serverless_v2_max_capacity=8,
        storage_encrypted=True,
    )


def resource(construct: Any) -> cdk.CfnResource:
    found = construct.node.default_child
    assert isinstance(found, cdk.CfnResource)
    return found


def override(target: cdk.CfnResource, property_: str, value: Any) -> None:
    """None removes the property."""
    if value is None:
        target.add_property_deletion_override(property_)
    else:
        target.add_property_override(property_, value)


@pytest.mark.parametrize(
    ("property_", "value", "expected"),
    [
        ("ServerlessV2ScalingConfiguration.MaxCapacity", 1, 189),
        ("ServerlessV2ScalingConfiguration.MaxCapacity", "4", 823),
        ("ServerlessV2ScalingConfiguration.MaxCapacity", 16, 3360),
    ],
)
def test_a_cluster_capacity(cluster: rds.DatabaseCluster, property_: str, value: Any, expected: int) -> None:
    assert ConnectionBudget.of(cluster).max_connections == 1669
    resource(cluster).add_property_override(property_, value)
    assert ConnectionBudget.of(cluster).max_connections == expected


def test_a_minimum_capacity_that_caps(cluster: rds.DatabaseCluster) -> None:
    resource(cluster).add_property_override("ServerlessV2ScalingConfiguration", {"MaxCapacity": 16, "MinCapacity": 0.5})
    assert ConnectionBudget.of(cluster).max_connections == 2000
    resource(cluster).add_property_deletion_override("ServerlessV2ScalingConfiguration.MinCapacity")
    assert ConnectionBudget.of(cluster).max_connections == 2000
    resource(cluster).add_property_override("ServerlessV2ScalingConfiguration.MinCapacity", 1)
    assert ConnectionBudget.of(cluster).max_connections == 3360


@pytest.mark.parametrize(
    ("property_", "value", "expected"),
    [
        ("Parameters.max_connections", "30", 30),
        ("Parameters", {"max_connections": 31}, 31),
        ("Parameters.max_connections", None, 782),
    ],
)
def test_a_parameter(database: rds.DatabaseInstance, property_: str, value: Any, expected: int) -> None:
    resource(database).add_property_override("DBInstanceClass", "db.m5.large")
    override(resource(database.node.find_child("ParameterGroup")), property_, value)
    assert ConnectionBudget.of(database).max_connections == expected


@pytest.mark.parametrize("name", ["default.postgres17", None])
def test_a_parameter_group(database: rds.DatabaseInstance, name: str | None) -> None:
    resource(database).add_property_override("DBInstanceClass", "db.m5.large")
    override(resource(database), "DBParameterGroupName", name)
    assert ConnectionBudget.of(database).max_connections == 782


def test_another_parameter_group_of_the_app(stack: cdk.Stack, database: rds.DatabaseInstance) -> None:
    group = rds.CfnDBParameterGroup(
        stack, "Group", description="ours", family="postgres17", parameters={"max_connections": "50"}
    )
    resource(database).add_property_override("DBParameterGroupName", group.ref)
    assert ConnectionBudget.of(database).max_connections == 50


def test_a_class(stack: cdk.Stack, vpc: ec2.Vpc) -> None:
    database = rds.DatabaseInstance(
        stack,
        "Plain",
        engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
        vpc=vpc,
        instance_type=ec2.InstanceType("m5.large"),
    )
    before = ConnectionBudget.of(database).max_connections
    resource(database).add_property_override("DBInstanceClass", "db.t4g.micro")
    assert ConnectionBudget.of(database).max_connections < 100 < before


def test_a_proxys_percentage(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
    assert database.secret is not None
    proxy = rds.DatabaseProxy(
        stack, "Proxy", proxy_target=rds.ProxyTarget.from_instance(database), secrets=[database.secret], vpc=vpc
    )
    behind = ConnectionBudget.of(Downstream.proxy(database, proxy))
    assert behind.max_connections == 112
    target_group = proxy.node.find_child("ProxyTargetGroup")
    assert isinstance(target_group, cdk.CfnResource)
    target_group.add_property_override("ConnectionPoolConfigurationInfo.MaxConnectionsPercent", 25)
    assert behind.max_connections == 28


@jsii.implements(cdk.IAspect)
class Reserve:
    def __init__(self, value: int | None) -> None:
        self._value = value

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, lambda_.CfnFunction):
            node.reserved_concurrent_executions = self._value


class TestReservedConcurrency:
    @pytest.fixture
    def function(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> VpcDatabaseFunction:
        return VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)

    @pytest.mark.parametrize(("value", "found"), [(110, "a concurrency of 110"), (None, "no concurrency")])
    @pytest.mark.parametrize("by_aspect", [False, True])
    def test_more_than_the_share_or_none_fails_the_synth(
        self, app: cdk.App, function: VpcDatabaseFunction, value: int | None, found: str, by_aspect: bool
    ) -> None:
        if by_aspect:
            cdk.Aspects.of(function).add(Reserve(value))
        else:
            override(resource(function), "ReservedConcurrentExecutions", value)
        with pytest.raises(RuntimeError, match=rf"Stack/Orders/Resource reserves {found} .* is 80 \(weight 1\)"):
            app.synth()

    def test_less_is_a_warning(self, stack: cdk.Stack, function: VpcDatabaseFunction) -> None:
        resource(function).add_property_override("ReservedConcurrentExecutions", 7)
        Annotations.from_stack(stack).has_warning(
            "/Stack/Database/ConnectionBudget", Match.string_like_regexp("reserves a concurrency of 7 .* concurrency=7")
        )

    def test_of_a_function_without_a_share_counts_in_the_account(
        self, stack: cdk.Stack, function: VpcDatabaseFunction, code: dict[str, Any]
    ) -> None:
        other = lambda_.Function(stack, "Other", reserved_concurrent_executions=10, **code)
        resource(other).add_property_override("ReservedConcurrentExecutions", 850)
        functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function")
        reserved = {name[:-8]: body["Properties"]["ReservedConcurrentExecutions"] for name, body in functions.items()}
        assert reserved == {"Orders": 50, "Other": 850}
