"""Calls that a type checker must let pass: every way to name a database, and options that are passed on."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_docdb as docdb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import (
    ApiProtocol,
    ConnectionBudget,
    DataApiFunction,
    DatabaseCredentials,
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    PublicSslDatabaseFunction,
    QuotaThrottledInvocation,
    QuotaTier,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)

PYTHON = lambda_.Runtime.PYTHON_3_14


def databases(
    instance: rds.DatabaseInstance,
    imported: rds.IDatabaseInstance,
    replica: rds.DatabaseInstanceReadReplica,
    restored: rds.DatabaseInstanceFromSnapshot,
    cluster: rds.DatabaseCluster,
    imported_cluster: rds.IDatabaseCluster,
    documents: docdb.DatabaseCluster,
    cache: elasticache.CfnReplicationGroup,
) -> list[ConnectionBudget]:
    return [
        ConnectionBudget.of(instance, max_connections=500, external_connections=40, utilization=0.8),
        ConnectionBudget.of(imported),
        ConnectionBudget.of(replica),
        ConnectionBudget.of(restored),
        ConnectionBudget.of(cluster),
        ConnectionBudget.of(imported_cluster),
        ConnectionBudget.of(documents),
        ConnectionBudget.of(cache),
        ConnectionBudget.of(Downstream.readers(cluster)),
    ]


def functions(stack: Stack, database: rds.DatabaseInstance, aurora: rds.DatabaseCluster, vpc: ec2.Vpc) -> None:
    code = lambda_.Code.from_inline("def handler(event, context): pass")
    orders = VpcDatabaseFunction(
        stack,
        "Orders",
        database=database,
        vpc=vpc,
        handler="orders.handler",
        code=code,
        runtime=PYTHON,
        share_weight=2,
        credentials=DatabaseCredentials.iam("app_user"),
        proxy=True,
        timeout=Duration.seconds(30),
        memory_size=1024,
        environment={"TABLE": "orders"},
    )
    public = PublicSslDatabaseFunction(
        stack, "Public", database=database, handler="a.b", code=code, runtime=PYTHON, acknowledge_public_access="why"
    )
    DataApiFunction(stack, "Data", cluster=aurora, handler="a.b", code=code, runtime=PYTHON)
    jobs = DecoupledInvocation(stack, "Jobs", function=orders, source=InvocationSource.sqs(batch_size=5))
    jobs.add_front_door("Door", path="orders", rate_limit_per_address=10, description="orders")
    api = ThrottledApi(
        stack, "Api", function=public, expected_duration=Duration.millis(200), deploy_options={"stage_name": "live"}
    )
    api.add_route("GET", "/reports", rate_limit=2, api_key_required=True)
    ThrottledApi(stack, "Http", function=public, rate_limit=5, protocol=ApiProtocol.HTTP, api_name="http")
    api.add_client("partner", rate_limit=5, quota=apigateway.QuotaSettings(limit=10, period=apigateway.Period.DAY))
    QuotaThrottledInvocation(
        stack, "Crm", function=orders, tiers=[QuotaTier(limit=10, period=Duration.seconds(1))], ordered=False
    )
    Downstream.endpoint(
        stack, "Atlas", host="db.example.net", port=27017, engine=DatabaseEngine.MONGODB, max_connections=1500
    )
    ConnectionBudget.of(database).share("worker", concurrency=20).limit(orders)
    breakwater_dashboard(stack, "Dashboard", [orders, jobs, api], default_interval=Duration.hours(1))
