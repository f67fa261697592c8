"""A queue before a database and a quota before a provider, in words that every release understands."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from demo.app import RUNTIME, Database

from cdk_breakwater import InvocationSource, QuotaThrottledInvocation, QuotaTier
from tests.e2e.sources.sources_app import add_source

STACK = "Upgraded"
TIERS = [(10, 1.0), (80, 10.0)]


def main() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, STACK)
    settings = app.node.get_context("demo")
    described = json.loads(settings) if isinstance(settings, str) else settings
    private = ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0, subnet_configuration=[private])
    add_source(stack, vpc, "Orders", InvocationSource.sqs(batch_size=10), Database(**described["database"]))
    caller = lambda_.Function(
        stack,
        "Caller",
        code=lambda_.Code.from_asset(str(Path(__file__).parent / "caller")),
        handler="caller.handler",
        runtime=RUNTIME,
        timeout=cdk.Duration.seconds(10),
        environment={"PROVIDER": described["provider"]},
    )
    quota = QuotaThrottledInvocation(
        stack,
        "Calls",
        function=caller,
        tiers=[QuotaTier(limit=limit, period=cdk.Duration.seconds(period)) for limit, period in TIERS],
    )
    cdk.CfnOutput(stack, "CallsQueue", value=quota.queue.queue_url)
    cdk.CfnOutput(stack, "CallsDeadLetters", value=quota.dead_letter_queue.queue_url)
    app.synth()


if __name__ == "__main__":
    main()
