from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import App, Duration, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from cdk_breakwater import DecoupledInvocation, InvocationSource, ThrottledApi, VpcDatabaseFunction
from cdk_breakwater.checks.downstream_checks import DownstreamChecks

from .stacks import MYSQL_8, instance

if TYPE_CHECKING:
    from pathlib import Path


def test_this_library_s_constructs_pass(tmp_path: Path, code: dict[str, Any]) -> None:
    app = App(outdir=str(tmp_path))
    Validations.of(app).add_plugins(DownstreamChecks())
    stack = Stack(app, "Stack")
    network = ec2.Vpc(stack, "Network", max_azs=2, nat_gateways=1)
    database: rds.DatabaseInstance = instance(
        stack,
        network,
        engine=MYSQL_8,
        parameters={"max_connections": "60"},
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
    )
    orders: Any = VpcDatabaseFunction(stack, "Orders", database=database, vpc=network, **code)
    reports: Any = VpcDatabaseFunction(stack, "Reports", database=database, vpc=network, **code)
    DecoupledInvocation(stack, "Jobs", function=orders, source=InvocationSource.sqs())
    ThrottledApi(stack, "Api", function=reports, expected_duration=Duration.millis(200))
    app.synth()
