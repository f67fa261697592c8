"""One quota per proof, so that none inherits another's windows.

Context `providers`: JSON, from name to URL; `network`: through which the troubled one reaches the account;
`lowered`: whose tiers are lower than those of the deployment before.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import CfnOutput, Duration
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater.quota.invocation import QuotaThrottledInvocation
from cdk_breakwater.quota.tier import QuotaTier

TIERS = [(20, 1.0), (150, 10.0)]
EACH = [(4, 1.0), (12, 10.0)]
"""Of a key."""
QUIET = [f"quiet {number}" for number in range(6)]
NOISY, CLOSED, FAILING, PLANNED = "noisy", "closed", "failing", "planned"
ORDERED, BESIDE, KEYED, DIVIDED = "ordered", "beside", "keyed", "divided"
TROUBLED, LOWERED = "troubled", "lowered"
LOWER = [(10, 1.0)]
"""What a provider grants from the second deployment on."""
ATTEMPTS = 2
PARALLELISM = 5
TWO_DISPATCHERS = 150
"""Calls in flight, for which one is not enough."""


def tiers(limits: list[tuple[int, float]]) -> list[QuotaTier]:
    return [QuotaTier(limit=limit, period=Duration.seconds(period)) for limit, period in limits]


def main() -> None:
    app = cdk.App()
    stack, shop = cdk.Stack(app, "Quota"), cdk.Stack(app, "Shop")

    def function(id_: str, handler: str, url: str, seconds: int, where: cdk.Stack = stack) -> lambda_.Function:
        return lambda_.Function(
            where,
            id_,
            code=lambda_.Code.from_asset(str(Path(__file__).parent / "caller")),
            handler=handler,
            # The emulator runs functions under this Python.
            runtime=lambda_.Runtime(f"python3.{sys.version_info.minor}", lambda_.RuntimeFamily.PYTHON),
            timeout=Duration.seconds(seconds),
            environment={"PROVIDER": url},
        )

    for name, url in json.loads(app.node.get_context("providers")).items():
        caller = function(f"{name}-caller", "caller.handler", url, 5)
        quota = QuotaThrottledInvocation(
            stack,
            name,
            function=caller,
            tiers=tiers(LOWER if name == app.node.try_get_context(LOWERED) else TIERS),
            key="$.tenant" if name == KEYED else None,
            key_tiers=tiers(EACH) if name == KEYED else None,
            ordered=name == ORDERED,
            parallelism=TWO_DISPATCHERS if name == DIVIDED else PARALLELISM,
            # The longer a message fails, the surer others are called meanwhile, however busy the machine.
            max_attempts=ATTEMPTS + (name == ORDERED),
            quota_name=name if name == BESIDE else None,
        )
        if name == BESIDE:
            # As another app does: nothing of the quota but its name is known there.
            theirs = QuotaThrottledInvocation.from_quota_name(shop, "Theirs", name)
            page = function("page", "caller.page", url, 30, shop)
            theirs.grant_acquire(page)
            CfnOutput(shop, "Page", value=page.function_name)
            CfnOutput(shop, "Queue", value=theirs.queue.queue_url)
        if name == TROUBLED:
            for ours, service in itertools.product((quota.intake, quota.dispatcher), ("DYNAMODB", "LAMBDA", "SQS")):
                ours.add_environment(f"AWS_ENDPOINT_URL_{service}", app.node.get_context("network"))
        if name in (KEYED, DIVIDED):
            CfnOutput(stack, f"{name}Table", value=quota.table.table_name)
        CfnOutput(stack, f"{name}Queue", value=quota.queue.queue_url)
        CfnOutput(stack, f"{name}DeadLetters", value=quota.dead_letter_queue.queue_url)
        CfnOutput(stack, f"{name}Caller", value=caller.function_name)
        CfnOutput(stack, f"{name}Dispatcher", value=quota.dispatcher.function_name)
    app.synth()


if __name__ == "__main__":
    main()
