"""Each source before a function with a database of its own: the peak of its server is the peak of its function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from demo.app import ARCHITECTURE, ENGINES, RUNTIME, Database

from cdk_breakwater import ConnectionBudget, DecoupledInvocation, Downstream, InvocationSource, VpcDatabaseFunction

STACK = "Sources"
SHARDS = 2


def make_sources(stack: cdk.Stack) -> dict[str, InvocationSource]:
    key = dynamodb.Attribute(name="number", type=dynamodb.AttributeType.NUMBER)
    table = dynamodb.Table(stack, "Table", partition_key=key, billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST)
    return {
        "Standard": InvocationSource.sqs(batch_size=10),
        "Fifo": InvocationSource.sqs(fifo=True),
        "Clicks": InvocationSource.kinesis(shard_count=SHARDS, batch_size=100),
        "Changes": InvocationSource.dynamodb_stream(table, parallelization_factor=4, batch_size=100),
    }


def add_source(stack: cdk.Stack, vpc: ec2.IVpc, name: str, source: InvocationSource, database: Database) -> None:
    downstream = Downstream.endpoint(
        stack,
        f"{name}Database",
        host=database.host,
        port=database.port,
        engine=ENGINES[database.engine],
        max_connections=database.max_connections,
        secret=secretsmanager.Secret.from_secret_complete_arn(stack, f"{name}Secret", database.secret_arn),
        certificate_authority=database.certificate_authority,
    )
    function = VpcDatabaseFunction(
        stack,
        f"{name}Writer",
        database=downstream,
        vpc=vpc,
        code=lambda_.Code.from_asset(str(Path(__file__).parent / "writer")),
        handler="writer.handler",
        runtime=RUNTIME,
        architecture=ARCHITECTURE,
        timeout=cdk.Duration.seconds(20),
    )
    invocation = DecoupledInvocation(stack, name, function=function, source=source)
    outputs: dict[str, Any] = {
        "Share": ConnectionBudget.of(downstream).shared_connections,
        "Function": function.function_name,
        "Mapping": invocation.event_source_mapping.event_source_mapping_id,
    }
    if invocation.dead_letter_queue is not None:
        outputs |= {"Queue": invocation.queue.queue_url, "DeadLetters": invocation.dead_letter_queue.queue_url}
    if invocation.failure_bucket is not None:
        outputs |= {"Bucket": invocation.failure_bucket.bucket_name}
    if name == "Clicks":
        outputs |= {"Stream": invocation.stream.stream_name}
    if name == "Changes":
        outputs |= {"Table": invocation.table.table_name}
    for output, value in outputs.items():
        cdk.CfnOutput(stack, f"{name}{output}", value=str(value))


def main() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, STACK)
    private = ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0, subnet_configuration=[private])
    databases = app.node.get_context("demo")
    described = json.loads(databases) if isinstance(databases, str) else databases
    for name, source in make_sources(stack).items():
        add_source(stack, vpc, name, source, Database(**described[name]))
    app.synth()


if __name__ == "__main__":
    main()
