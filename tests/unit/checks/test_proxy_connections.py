from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from cdk_breakwater.checks.rules.proxy_connections import RULE

from .stacks import function, vpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Findings

ISOLATED = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)


def database_of_112(stack: Stack, network: ec2.IVpc) -> rds.DatabaseInstance:
    return rds.DatabaseInstance(
        stack,
        "Database",
        engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
        vpc=network,
        vpc_subnets=ISOLATED,
        parameters={"max_connections": "112"},
    )


def proxies(*percents: int | None, beside: int | None = None) -> Callable[[Stack], None]:
    """112 connections, proxies before them, and a function that connects without one."""

    def app(stack: Stack) -> None:
        network = vpc(stack)
        database = database_of_112(stack, network)
        assert database.secret
        for number, percent in enumerate(percents):
            proxy = database.add_proxy(
                f"Proxy{number}",
                vpc=network,
                vpc_subnets=ISOLATED,
                secrets=[database.secret],
                max_connections_percent=percent,
            )
            reader = function(stack, f"Behind{number}", reserved_concurrent_executions=500)
            reader.add_environment("HOST", proxy.endpoint)
        if beside is not None:
            reader = function(stack, "Beside", reserved_concurrent_executions=beside)
            reader.add_environment("HOST", database.db_instance_endpoint_address)

    return app


@pytest.mark.parametrize(
    "app", [proxies(70), proxies(60, 40), proxies(None), proxies(70, beside=22), proxies(beside=100)]
)
def test_what_fits(app: Callable[[Stack], None], findings: Findings) -> None:
    assert findings(RULE, app) == []


def test_several_on_one_database(findings: Findings) -> None:
    (finding,) = findings(RULE, proxies(60, None))
    assert finding.location == "Properties.ConnectionPoolConfigurationInfo.MaxConnectionsPercent"
    assert finding.problem == (
        "The proxies of Stack0/Database may take 160 % of its connections: "
        "Stack0/Database/Proxy0/ProxyTargetGroup 60 %, Stack0/Database/Proxy1/ProxyTargetGroup 100 %."
    )


def test_functions_beside_it(findings: Findings) -> None:
    (finding,) = findings(RULE, proxies(70, beside=23))
    assert finding.problem == (
        "Stack0/Database gives 100 connections (max_connections 112, max_connections in the parameter group); its "
        "proxies may hold 78 (Stack0/Database/Proxy0/ProxyTargetGroup 70 %), and functions beside them 23."
    )


def test_a_way_to_the_proxy_by_name_beside_a_range_of_the_server(findings: Findings) -> None:
    def app(stack: Stack) -> None:
        network = vpc(stack)
        database = database_of_112(stack, network)
        assert database.secret
        proxy = database.add_proxy(
            "Proxy", vpc=network, vpc_subnets=ISOLATED, secrets=[database.secret], max_connections_percent=70
        )
        behind = function(stack, "Behind", vpc=network, vpc_subnets=ISOLATED, reserved_concurrent_executions=500)
        behind.add_environment("BREAKWATER_PROXY", "1")
        database.secret.grant_read(behind)
        proxy.connections.allow_from(behind, ec2.Port.tcp(5432))
        database.connections.allow_from(ec2.Peer.any_ipv4(), ec2.Port.tcp(5432))

    assert findings(RULE, app) == []
