"""Calls that a type checker must report, each on the line that is marked."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sqs as sqs

import breakwater_runtime as breakwater
from cdk_breakwater import (
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
    RuntimeLayer,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)

PYTHON = lambda_.Runtime.PYTHON_3_14
CODE = lambda_.Code.from_inline("def handler(event, context): pass")


def wrong(stack: Stack, db: rds.DatabaseInstance, vpc: ec2.Vpc, queue: sqs.Queue, orders: VpcDatabaseFunction) -> None:
    ConnectionBudget.of(42)  # wrong
    ConnectionBudget.of("Database")  # wrong
    ConnectionBudget.of(None)  # wrong
    ConnectionBudget.of(db, max_connections="80")  # wrong
    ConnectionBudget.of(db, utilisation=0.8)  # wrong
    Downstream.of(vpc)  # wrong
    Downstream.readers(db)  # wrong
    Downstream.endpoint(stack, "A", host="db.example.net", port=3306, engine="mysql", max_connections=9)  # wrong
    Downstream.endpoint(stack, "B", hostname="db", port=3306, engine=DatabaseEngine.MYSQL, max_connections=9)  # wrong
    VpcDatabaseFunction(stack, "C", database=42, vpc=vpc, handler="a.b", code=CODE, runtime=PYTHON)  # wrong
    VpcDatabaseFunction(stack, "D", database=db, vpc=None, handler="a.b", code=CODE, runtime=PYTHON)  # wrong
    VpcDatabaseFunction(stack, "E", database=db, vpc=vpc, handler="a.b", code=CODE, runtime=PYTHON, memroy=5)  # wrong
    VpcDatabaseFunction(stack, "F", database=db, vpc=vpc, handler="a.b", code=CODE, runtime=PYTHON, timeout=30)  # wrong
    PublicSslDatabaseFunction(stack, "G", database=vpc, handler="a.b", code=CODE, runtime=PYTHON)  # wrong
    DataApiFunction(stack, "H", cluster=db, handler="a.b", code=CODE, runtime=PYTHON)  # wrong
    DecoupledInvocation(stack, "I", function=orders, source=queue)  # wrong
    InvocationSource.sqs(batch_size="5")  # wrong
    InvocationSource.kinesis(shards=4)  # wrong
    ThrottledApi(stack, "J", function=orders, rate_limit=5, rate_limt_per_adress=3)  # wrong
    ThrottledApi(stack, "K", function=orders, rate_limit=5, protocol="SOAP")  # wrong
    api = ThrottledApi(stack, "L", function=orders, expected_duration=Duration.millis(200))
    api.add_route("GET", "/reports", rate_limit=2, api_key_requried=True)  # wrong
    jobs = DecoupledInvocation(stack, "M", function=orders, source=InvocationSource.sqs())
    jobs.add_front_door("Door", path="orders", rate_limit_per_adress=3)  # wrong
    QuotaThrottledInvocation(stack, "N", function=orders, tiers=[(10, Duration.seconds(1))])  # wrong
    QuotaTier(limit=10, period=1)  # wrong
    breakwater_dashboard(stack, "O", [queue])  # wrong
    breakwater_dashboard(stack, "P", [api], default_intervall=Duration.hours(1))  # wrong
    ConnectionShare.of("orders")  # wrong
    ConnectionBudget.of(db).share("worker", wieght=2)  # wrong
    ConnectionBudget.of(db).share("worker").limit(queue)  # wrong
    DatabaseCredentials.user("orders", grants="SELECT ON shop.*", removal_policy="RETAIN")  # wrong
    DatabaseCredentials.secret("arn:aws:secretsmanager:…")  # wrong
    VpcDatabaseFunction(stack, "Q", database=db, vpc=vpc, handler="a.b", code=CODE, runtime=PYTHON, proxy="x")  # wrong
    DatabaseCredentials.iam(1)  # wrong
    PublicSslDatabaseFunction(stack, "S", database=db, handler="a.b", code=CODE, runtime=PYTHON, memroy_size=5)  # wrong
    orders.add_database("Second", database=42)  # wrong
    orders.alarms("arn:aws:sns:…")  # wrong
    Downstream.proxy(db, max_connection_percent=70)  # wrong
    Downstream.of(db).connect(queue)  # wrong
    InvocationSource.dynamodb_stream(queue)  # wrong
    api.add_client("partner", rate_limit="5")  # wrong
    RuntimeLayer(stack, "T", runtime="python3.14")  # wrong


async def wrong_handler(context: object) -> None:
    breakwater.database(engine="postgresql", port="5432")  # wrong
    breakwater.database(engine="mysql", proxy="yes")  # wrong
    orders = breakwater.database(engine="postgresql")
    orders.run(lambda: 1)  # wrong
    orders.run(lambda connection: connection.cursr(), context)  # wrong
    with orders.connection(context) as connection:
        connection.exceute("SELECT 1")  # wrong
        connection.execute("SELECT 1").fetchmanny()  # wrong
    events = breakwater.async_database(engine="postgresql")
    await events.run(lambda _: 1)  # wrong
    async with events.connection(context) as listening:
        listening.execute("SELECT 1").fetchone()  # wrong
    breakwater.redis().gett("x")  # wrong
    breakwater.redis(parallelism="2")  # wrong
