"""Every argument that may live in another stack does: its own stack comes to depend on nothing of the app's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from cdk_breakwater import (
    ConnectionBudget,
    DatabaseCredentials,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    QuotaThrottledInvocation,
    QuotaTier,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)

from .conftest import code, database_in, stack_in, vpc_in

TIERS = [QuotaTier(limit=10, period=Duration.seconds(1))]


class Shop:
    """A stack with what apps share, and a stack that uses it."""

    def __init__(self, app: cdk.App) -> None:
        self.base, self.shop, self.board = (stack_in(app, name) for name in ("Base", "Shop", "Board"))
        self.vpc = vpc_in(self.base)
        self.database = database_in(self.vpc)
        self.key = kms.Key(self.base, "Key")
        self.topic = sns.Topic(self.base, "Topic", master_key=self.key, enforce_ssl=True)

    def function(self, id: str, **options: Any) -> VpcDatabaseFunction:
        return VpcDatabaseFunction(self.shop, id, **{"database": self.database, "vpc": self.vpc, **code(), **options})

    def caller(self, id: str) -> lambda_.Function:
        return lambda_.Function(self.shop, id, **code(), reserved_concurrent_executions=10)

    def queue(self) -> sqs.Queue:
        dead = sqs.Queue(self.base, "Dead", retention_period=Duration.days(14), encryption_master_key=self.key)
        return sqs.Queue(
            self.base,
            "Jobs",
            encryption_master_key=self.key,
            visibility_timeout=Duration.minutes(3),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5),
        )


def networks(shop: Shop) -> None:
    group = ec2.SecurityGroup(shop.base, "Group", vpc=shop.vpc)
    shop.function("Orders", security_groups=[group])


def roles(shop: Shop) -> None:
    shop.function("Orders", role=iam.Role(shop.base, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))


def secrets(shop: Shop) -> None:
    secret = secretsmanager.Secret(shop.base, "Secret", encryption_key=shop.key)
    shop.function("Orders", credentials=DatabaseCredentials.secret(secret))


def users(shop: Shop) -> None:
    shop.function("Orders", credentials=DatabaseCredentials.user("orders", grants=["SELECT ON public.*"]))
    shop.function("Reports", credentials=DatabaseCredentials.iam("reports"))


def log_groups_and_keys(shop: Shop) -> None:
    group = logs.LogGroup(shop.base, "Logs", encryption_key=shop.key)
    shop.function("Orders", log_group=group, environment_encryption=shop.key)


def proxies(shop: Shop) -> None:
    shop.function("Orders", proxy=True)


def a_proxy(shop: Shop) -> None:
    proxy = rds.DatabaseProxy(
        shop.base,
        "Proxy",
        proxy_target=rds.ProxyTarget.from_instance(shop.database),
        secrets=[shop.database.secret] if shop.database.secret else [],
        vpc=shop.vpc,
        max_connections_percent=50,
    )
    shop.function("Orders", proxy=proxy)


def functions(shop: Shop) -> None:
    function = lambda_.Function(shop.base, "Worker", vpc=shop.vpc, **code())
    Downstream.of(shop.database).connect(function)
    jobs = DecoupledInvocation(shop.shop, "Jobs", function=function)
    jobs.grant_send(lambda_.Function(shop.base, "Producer", **code()))


def queues(shop: Shop) -> None:
    jobs = DecoupledInvocation(
        shop.shop, "Jobs", function=shop.function("Orders"), source=InvocationSource.sqs(shop.queue())
    )
    jobs.add_front_door("Door", path="orders").alarms(shop.topic)
    jobs.alarms(shop.topic)


def streams(shop: Shop) -> None:
    stream = kinesis.Stream(shop.base, "Stream", shard_count=2, encryption_key=shop.key)
    source = InvocationSource.kinesis(stream, starting_position=lambda_.StartingPosition.LATEST)
    jobs = DecoupledInvocation(shop.shop, "Clicks", function=shop.function("Orders"), source=source)
    jobs.add_front_door("Door", path="clicks")
    jobs.alarms(shop.topic)


def tables(shop: Shop) -> None:
    table = dynamodb.Table(
        shop.base,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        encryption_key=shop.key,
    )
    source = InvocationSource.dynamodb_stream(table)
    jobs = DecoupledInvocation(shop.shop, "Changes", function=shop.function("Orders"), source=source)
    jobs.alarms(shop.topic)


def apis(shop: Shop) -> None:
    orders = shop.function("Orders")
    api = ThrottledApi(shop.shop, "Api", function=orders, expected_duration=Duration.millis(100))
    reports = lambda_.Function(shop.base, "Reports", **code(), reserved_concurrent_executions=5)
    api.add_route("GET", "/reports", function=reports, expected_duration=Duration.millis(100))
    for watched in (api, orders, ConnectionBudget.of(shop.database)):
        watched.alarms(shop.topic)
    breakwater_dashboard(shop.board, "Board", [api, orders])


def quotas(shop: Shop) -> None:
    function = lambda_.Function(shop.base, "Caller", **code(), reserved_concurrent_executions=10)
    calls = QuotaThrottledInvocation(shop.shop, "Crm", function=function, tiers=TIERS)
    calls.alarms(shop.topic)
    calls.grant_send(shop.caller("Producer"))


CASES = [
    networks,
    roles,
    secrets,
    users,
    log_groups_and_keys,
    proxies,
    a_proxy,
    functions,
    queues,
    streams,
    tables,
    apis,
    quotas,
]


@pytest.mark.parametrize("build", CASES, ids=lambda build: build.__name__)
def test_it_synthesizes(app: cdk.App, build: Callable[[Shop], None]) -> None:
    shop = Shop(app)
    build(shop)
    app.synth()
    # A function that works for another stack's queue needs that stack; nothing else of the base does.
    assert shop.base.dependencies == ([shop.shop] if build is functions else [])
