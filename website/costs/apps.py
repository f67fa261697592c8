"""A Stage for each construct, with its alarms and without, beside one that lacks the construct."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import (
    ConnectionBudget,
    DataApiFunction,
    DatabaseCredentials,
    DecoupledInvocation,
    InvocationSource,
    PublicSslDatabaseFunction,
    QuotaThrottledInvocation,
    QuotaTier,
    ThrottledApi,
    VpcDatabaseFunction,
)
from cdk_breakwater.throttled_api.api import ApiProtocol

from .usage import Usage, of_resources

if TYPE_CHECKING:
    from collections.abc import Callable

ENGINE = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)


class World:
    """What is there before the construct: a network of two Availability Zones, and what the construct is put before."""

    def __init__(self, app: cdk.App, name: str) -> None:
        self.stage = cdk.Stage(app, name, env=cdk.Environment(account="123456789012", region="us-east-1"))
        self.stack = cdk.Stack(self.stage, "Shop")
        code = lambda_.Code.from_inline("def handler(event, context): pass")
        self.code: dict[str, Any] = {"code": code, "handler": "index.handler", "runtime": lambda_.Runtime.PYTHON_3_14}

    def keep_alarms(self) -> None:
        """Note the alarms that are there without `alarms()`."""
        self.alarms = {
            self.stack.get_logical_id(made)
            for made in self.stack.node.find_all()
            if isinstance(made, cloudwatch.CfnAlarm)
        }

    @cached_property
    def vpc(self) -> ec2.IVpc:
        """A network with a way out."""
        return ec2.Vpc.from_vpc_attributes(
            self.stack,
            "Vpc",
            vpc_id="vpc-12345678",
            vpc_cidr_block="10.0.0.0/16",
            availability_zones=["us-east-1a", "us-east-1b"],
            private_subnet_ids=["subnet-12345678", "subnet-87654321"],
            public_subnet_ids=["subnet-23456781", "subnet-18765432"],
        )

    @cached_property
    def isolated_vpc(self) -> ec2.Vpc:
        """A network without one."""
        subnets = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        return ec2.Vpc(self.stack, "IsolatedVpc", max_azs=2, nat_gateways=0, subnet_configuration=[subnets])

    def database(self, vpc: ec2.IVpc | None = None, **options: Any) -> rds.DatabaseInstance:
        """Make the database, whose master secret is its own."""
        return rds.DatabaseInstance(
            self.stack,
            "Db",
            engine=ENGINE,
            vpc=vpc or self.vpc,
            storage_encrypted=True,
            parameters={"max_connections": "112"},
            **options,
        )

    @cached_property
    def function(self) -> lambda_.Function:
        """A function with a share, of which the budget knows without any database."""
        function = lambda_.Function(self.stack, "Function", timeout=cdk.Duration.seconds(30), **self.code)
        ConnectionBudget(self.stack, "Budget", max_connections=100).share("function", concurrency=20).limit(function)
        return function


class Measured(NamedTuple):
    """What a construct costs by the month, whatever the load: without `alarms()`, and what they add."""

    fixed: Usage
    alarms: Usage


def _vpc_function(world: World) -> Any:
    return VpcDatabaseFunction(world.stack, "Orders", database=world.database(), vpc=world.vpc, **world.code)


def _isolated_function(world: World) -> Any:
    database = world.database(
        world.isolated_vpc, vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    )
    return VpcDatabaseFunction(world.stack, "Orders", database=database, vpc=world.isolated_vpc, **world.code)


def _function_with_a_user(world: World) -> Any:
    credentials = DatabaseCredentials.user("orders", grants=["SELECT ON shop.*"])
    database = world.database(database_name="shop")
    return VpcDatabaseFunction(
        world.stack, "Orders", database=database, vpc=world.vpc, credentials=credentials, **world.code
    )


def _budget(world: World, *, guarded: bool = False) -> Any:
    database = world.database()
    budget = ConnectionBudget.of(database, guard_deployments=guarded)
    VpcDatabaseFunction(world.stack, "Orders", database=database, vpc=world.vpc, **world.code)
    return budget


def _guarded_budget(world: World) -> Any:
    return _budget(world, guarded=True)


def _public_function(world: World) -> Any:
    subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
    return PublicSslDatabaseFunction(
        world.stack,
        "Orders",
        database=world.database(publicly_accessible=True, vpc_subnets=subnets),
        acknowledge_public_access="a partner",
        **world.code,
    )


def _data_api(world: World) -> Any:
    engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_6)
    writer = rds.ClusterInstance.serverless_v2("Writer")
    cluster = rds.DatabaseCluster(
        world.stack, "Cluster", engine=engine, vpc=world.vpc, writer=writer, storage_encrypted=True
    )
    return DataApiFunction(world.stack, "Orders", cluster=cluster, **world.code)


def _decoupled(source: Callable[[], InvocationSource]) -> Callable[[World], Any]:
    return lambda world: DecoupledInvocation(world.stack, "Jobs", function=world.function, source=source())


def _front_door(world: World) -> Any:
    jobs = DecoupledInvocation(world.stack, "Jobs", function=world.function, source=InvocationSource.sqs())
    return jobs.add_front_door("Door", path="orders")


def _api(**options: Any) -> Callable[[World], Any]:
    expected = cdk.Duration.millis(200)
    return lambda world: ThrottledApi(
        world.stack, "Api", function=world.function, expected_duration=expected, **options
    )


def _quota(world: World) -> Any:
    tiers = [QuotaTier(limit=10, period=cdk.Duration.seconds(1))]
    return QuotaThrottledInvocation(world.stack, "Crm", function=world.function, tiers=tiers)


APPS: dict[str, Callable[[World], Any]] = {
    "VpcDatabaseFunction": _vpc_function,
    "isolated": _isolated_function,
    "public": _public_function,
    "user": _function_with_a_user,
    "budget": _budget,
    "guard": _guarded_budget,
    "data api": _data_api,
    "sqs": _decoupled(InvocationSource.sqs),
    "fifo": _decoupled(lambda: InvocationSource.sqs(fifo=True)),
    "kinesis": _decoupled(lambda: InvocationSource.kinesis(shard_count=2)),
    "front door": _front_door,
    "rest": _api(),
    "http": _api(protocol=ApiProtocol.HTTP, acknowledge_no_authorization="public"),
    "waf": _api(rate_limit_per_address=2),
    "quota": _quota,
}
# What the construct is compared with: the same Stage with this instead. The others: nothing.
_BESIDE: dict[str, Callable[[World], Any]] = {
    "user": _vpc_function,
    "budget": _vpc_function,
    "guard": _vpc_function,
    "front door": _decoupled(InvocationSource.sqs),
}
# The secret in its Stage is the database's own, which is there without the function.
_WITH_DATABASE = {"VpcDatabaseFunction", "isolated", "public", "data api"}


def measure() -> dict[str, Measured]:
    """Synthesize every construct, and count what its Stage has more than the one beside it."""
    # No layer is built, and nothing is copied: what costs is in the templates.
    app = cdk.App(context={"aws:cdk:bundling-stacks": [], "aws:cdk:disable-asset-staging": True})
    worlds: dict[str, World] = {}
    for name, build in (APPS | {f"beside {name}": build for name, build in _BESIDE.items()}).items():
        worlds[name] = world = World(app, name.replace(" ", ""))
        construct = build(world)
        world.keep_alarms()
        if name in APPS:
            construct.alarms()
    assembly = app.synth()

    def used(name: str) -> tuple[Usage, Usage]:
        world = worlds[name]
        (stack,) = assembly.get_nested_assembly(world.stage.artifact_id).stacks
        resources = stack.template["Resources"]
        later = {
            id: resource
            for id, resource in resources.items()
            if resource["Type"] == "AWS::CloudWatch::Alarm" and id not in world.alarms
        }
        return of_resources({id: each for id, each in resources.items() if id not in later}), of_resources(later)

    found = {}
    for name in APPS:
        fixed, alarms = used(name)
        if name in _BESIDE:
            fixed -= used(f"beside {name}")[0]
        elif name in _WITH_DATABASE:
            fixed -= Usage({"secret": 1})
        found[name] = Measured(fixed, alarms)
    return found
