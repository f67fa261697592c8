"""The order intake on one database, twice: with the library's constructs, and with the CDK's own and no limits."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk import triggers

from cdk_breakwater import (
    ConnectionBudget,
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    RuntimeLayer,
    ThrottledApi,
    VpcDatabaseFunction,
)
from demo.stack_name import stack_name

if TYPE_CHECKING:
    from constructs import Construct

ENGINES = {"mariadb": DatabaseEngine.MARIADB, "postgresql": DatabaseEngine.POSTGRESQL}
HANDLERS = Path(__file__).parents[1] / "lambda_src" / "handlers" / "orders"
# The emulator runs functions under this Python on this machine, so that their layer must carry wheels for these.
RUNTIME = lambda_.Runtime(f"python3.{sys.version_info.minor}", lambda_.RuntimeFamily.PYTHON)
ARM = platform.machine() in ("aarch64", "arm64")
ARCHITECTURE = lambda_.Architecture.ARM_64 if ARM else lambda_.Architecture.X86_64
TIMEOUT = cdk.Duration.seconds(20)
EXPECTED_DURATION = cdk.Duration.millis(200)


@dataclass(frozen=True)
class Database:
    """A server on loopback, as the demo describes it in the context."""

    engine: str
    host: str
    port: int
    name: str
    max_connections: int
    secret_arn: str
    certificate_authority: str


class Protected(cdk.Stack):
    """With the library: say which database it is, and every limit follows from that."""

    def __init__(self, scope: Construct, database: Database) -> None:
        super().__init__(scope, stack_name(database.engine, protected=True))
        # The way out would be a transit gateway's. The emulator's CloudFormation knows neither NAT gateways nor the
        # rules between security groups that an endpoint of Secrets Manager needs.
        private = ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        vpc = ec2.Vpc(self, "Vpc", max_azs=2, nat_gateways=0, subnet_configuration=[private])
        downstream = Downstream.endpoint(
            self,
            "Database",
            host=database.host,
            port=database.port,
            engine=ENGINES[database.engine],
            max_connections=database.max_connections,
            secret=secretsmanager.Secret.from_secret_complete_arn(self, "Secret", database.secret_arn),
            certificate_authority=database.certificate_authority,
        )

        def function(name: str, handler: str, *, concurrency: int | None = None) -> VpcDatabaseFunction:
            return VpcDatabaseFunction(
                self,
                name,
                database=downstream,
                vpc=vpc,
                code=lambda_.Code.from_asset(str(HANDLERS)),
                handler=handler,
                runtime=RUNTIME,
                architecture=ARCHITECTURE,
                timeout=TIMEOUT,
                concurrency=concurrency,
            )

        writer, reader = function("Writer", "writer.handler"), function("Reader", "reader.handler")
        _migrate_first(self, function("Migration", "migration.handler", concurrency=1), writer, reader)
        intake = DecoupledInvocation(self, "Intake", function=writer, source=InvocationSource.sqs())
        api = ThrottledApi(
            self,
            "Api",
            function=reader,
            expected_duration=EXPECTED_DURATION,
            acknowledge_no_authorization="it answers on this machine's loopback alone",
        )
        _outputs(self, intake.queue, intake.dead_letter_queue, api.rest_api)
        cdk.CfnOutput(self, "Budget", value=str(ConnectionBudget.of(downstream).shared_connections))


class Unprotected(cdk.Stack):
    """Without: the same handlers and the same runtime, but default concurrency and default throttling."""

    def __init__(self, scope: Construct, database: Database) -> None:
        super().__init__(scope, stack_name(database.engine, protected=False))
        secret = secretsmanager.Secret.from_secret_complete_arn(self, "Secret", database.secret_arn)
        layer = RuntimeLayer(
            self,
            "Runtime",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            drivers=[ENGINES[database.engine].driver],
            certificate_authority=Path(database.certificate_authority).read_text(encoding="ascii"),
        )

        def function(name: str, handler: str) -> lambda_.Function:
            made = lambda_.Function(
                self,
                name,
                code=lambda_.Code.from_asset(str(HANDLERS)),
                handler=handler,
                runtime=RUNTIME,
                architecture=ARCHITECTURE,
                timeout=TIMEOUT,
                memory_size=512,
                layers=[layer],
                environment={
                    "BREAKWATER_ENGINE": database.engine,
                    "BREAKWATER_HOST": database.host,
                    "BREAKWATER_PORT": str(database.port),
                    "BREAKWATER_SECRET_ARN": secret.secret_arn,
                    "BREAKWATER_TLS_CA": "bundled",
                },
            )
            secret.grant_read(made)
            return made

        writer, reader = function("Writer", "writer.handler"), function("Reader", "reader.handler")
        _migrate_first(self, function("Migration", "migration.handler"), writer, reader)
        dead_letters = sqs.Queue(self, "DeadLetters")
        orders = sqs.Queue(
            self,
            "Orders",
            # what the CDK leaves at 30 s would keep each failed order waiting that long here
            visibility_timeout=TIMEOUT,
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=3, queue=dead_letters),
        )
        writer.add_event_source(event_sources.SqsEventSource(orders, report_batch_item_failures=True))
        _outputs(self, orders, dead_letters, apigateway.LambdaRestApi(self, "Api", handler=reader))


def _migrate_first(stack: cdk.Stack, migration: lambda_.Function, *others: lambda_.Function) -> None:
    triggers.Trigger(stack, "Migrate", handler=migration).execute_before(*others)


def _outputs(stack: cdk.Stack, queue: sqs.IQueue, dead_letters: sqs.IQueue, api: apigateway.RestApi) -> None:
    cdk.CfnOutput(stack, "QueueUrl", value=queue.queue_url)
    cdk.CfnOutput(stack, "DeadLetterQueueUrl", value=dead_letters.queue_url)
    cdk.CfnOutput(stack, "ApiId", value=api.rest_api_id)
    cdk.CfnOutput(stack, "Stage", value=api.deployment_stage.stage_name)


def main() -> None:
    app = cdk.App()
    for described in json.loads(app.node.get_context("demo"))["databases"]:
        database = Database(**described)
        Protected(app, database)
        Unprotected(app, database)
    app.synth()


if __name__ == "__main__":
    main()
