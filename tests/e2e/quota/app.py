"""A quota of 20 calls a second and 150 in 10 seconds, deployed by the real CLI."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater import QuotaThrottledInvocation, QuotaTier, RuntimeLayer

if TYPE_CHECKING:
    from constructs import Construct

PER_SECOND, PER_TEN_SECONDS = 20, 150
RUNTIME = lambda_.Runtime(f"python3.{sys.version_info.minor}", lambda_.RuntimeFamily.PYTHON)


class Quota(cdk.Stack):
    def __init__(self, scope: Construct, provider: str) -> None:
        super().__init__(scope, "Quota")
        caller = lambda_.Function(
            self,
            "Caller",
            code=lambda_.Code.from_asset(str(Path(__file__).with_name("caller"))),
            handler="caller.handler",
            runtime=RUNTIME,
            timeout=cdk.Duration.seconds(3),
            environment={"PROVIDER": provider},
            layers=[RuntimeLayer(self, "Runtime", runtime=RUNTIME)],
        )
        tiers = [
            QuotaTier(limit=PER_SECOND, period=cdk.Duration.seconds(1)),
            QuotaTier(limit=PER_TEN_SECONDS, period=cdk.Duration.seconds(10)),
        ]
        crm = QuotaThrottledInvocation(self, "Crm", function=caller, tiers=tiers, parallelism=8)
        cdk.CfnOutput(self, "QueueUrl", value=crm.queue.queue_url)
        cdk.CfnOutput(self, "DeadLetterQueueUrl", value=crm.dead_letter_queue.queue_url)
        cdk.CfnOutput(self, "DispatcherName", value=crm.dispatcher.function_name)


def main() -> None:
    app = cdk.App()
    settings: dict[str, Any] = json.loads(app.node.get_context("demo"))
    Quota(app, settings["provider"])
    app.synth()


if __name__ == "__main__":
    main()
