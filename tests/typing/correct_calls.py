"""Calls that a type checker must let pass: every way to name a database, and options that are passed on."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_docdb as docdb
from aws_cdk import aws_dsql as dsql
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_lambda_event_sources import S3OnFailureDestination, SqsDlq

import breakwater_runtime as breakwater
from cdk_breakwater import (
    ApiProtocol,
    ConnectionBudget,
    ConnectionShare,
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
    documents_elsewhere: docdb.IDatabaseCluster,
    cache: elasticache.CfnReplicationGroup,
    serverless_cache: elasticache.CfnServerlessCache,
    distributed: dsql.CfnCluster,
    restored_cluster: rds.DatabaseClusterFromSnapshot,
) -> list[ConnectionBudget]:
    return [
        ConnectionBudget.of(instance, max_connections=500, external_connections=40, utilization=0.8),
        ConnectionBudget.of(imported),
        ConnectionBudget.of(replica),
        ConnectionBudget.of(restored),
        ConnectionBudget.of(cluster),
        ConnectionBudget.of(imported_cluster),
        ConnectionBudget.of(documents),
        ConnectionBudget.of(documents_elsewhere),
        ConnectionBudget.of(cache),
        ConnectionBudget.of(serverless_cache),
        ConnectionBudget.of(distributed),
        ConnectionBudget.of(restored_cluster),
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


def what_the_cdk_makes(
    stack: Stack,
    database: rds.DatabaseInstance,
    vpc: ec2.Vpc,
    function: lambda_.Function,
    alias: lambda_.Alias,
    action: SnsAction,
) -> None:
    """Classes of the CDK where its own signatures name an interface, which a type checker tells apart."""
    key, topic, queue = kms.Key(stack, "Key"), sns.Topic(stack, "Topic"), sqs.Queue(stack, "Queue")
    secret, role = secretsmanager.Secret(stack, "Secret"), iam.Role.from_role_name(stack, "Role", "name")
    attached = secret.attach(database)
    orders = VpcDatabaseFunction(
        stack,
        "Own",
        database=database,
        vpc=vpc,
        handler="orders.handler",
        code=lambda_.Code.from_inline("def handler(event, context): pass"),
        runtime=PYTHON,
        credentials=DatabaseCredentials.user("orders", grants=["SELECT ON shop.*"], administrator=secret),
        role=role,
        environment_encryption=key,
        dead_letter_queue=queue,
        dead_letter_topic=topic,
    )
    for credentials in (DatabaseCredentials.secret(secret), DatabaseCredentials.secret(attached)):
        orders.add_database("Second", database=database, credentials=credentials)
    DatabaseCredentials.iam("orders", administrator=secret)
    Downstream.endpoint(
        stack, "Own", host="h", port=1, engine=DatabaseEngine.MYSQL, max_connections=9, secret=secret
    ).connect(function, vpc=vpc)
    InvocationSource.sqs(queue, encryption_key=key, filter_encryption=key)
    InvocationSource.kinesis(kinesis.Stream(stack, "Stream"), encryption_key=key, on_failure=SqsDlq(queue))
    InvocationSource.kinesis(on_failure=S3OnFailureDestination(s3.Bucket(stack, "Bucket")), filter_encryption=key)
    table = dynamodb.TableV2(stack, "T", partition_key=dynamodb.Attribute(name="i", type=dynamodb.AttributeType.STRING))
    InvocationSource.dynamodb_stream(table, on_failure=SqsDlq(queue))
    for each in (function, orders, alias):
        ConnectionShare.of(each)
        DecoupledInvocation(stack, "Buffer", function=each).alarms(topic)
        ThrottledApi(stack, "Door", function=each, rate_limit=5).alarms(action)
    QuotaThrottledInvocation(stack, "Quota", function=alias, tiers=[]).alarms(topic)


def handler(event: dict[str, str], context: object, library: breakwater.Database) -> list[object]:
    orders = breakwater.database(engine="postgresql", prepare_threshold=None)
    with orders.connection(context) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM products WHERE id = %s", (event["id"],))
        found = cursor.fetchone()
    stock = breakwater.database("stock", engine="mysql", port=3306, charset="utf8mb4")
    with stock.connection(context) as connection_to_stock, connection_to_stock.cursor() as cursor_of_stock:
        cursor_of_stock.execute("SELECT 1")
    names: list[Any] = orders.run(
        lambda connection: connection.execute("SELECT name FROM products").fetchall(), context
    )
    with breakwater.database().connection(context) as anything, library.connection() as anything_too:
        return [found, names, anything.cursor(), anything_too.cursor(), breakwater.redis().get("x")]


async def asynchronous_handler(context: object) -> list[Any]:
    async with breakwater.async_database(engine="postgresql").connection(context) as connection:
        cursor = await connection.execute("SELECT 1")
    async with breakwater.async_database("stock", engine="mariadb").connection(context) as connection_to_stock:
        await connection_to_stock.ping()
    return await cursor.fetchall()
