"""README's first app at several stages of its life: `python -m demo.deployments.shop_app`.

Standard input: from each stage's folder to what its stack is made of. One process makes all of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import ConnectionBudget, Downstream, VpcDatabaseFunction
from demo.app import ARCHITECTURE, ENGINES, RUNTIME


class Shop(cdk.Stack):
    def __init__(self, scope: cdk.App, settings: dict[str, Any]) -> None:
        super().__init__(scope, settings["stack"])
        # See demo/app.py: the emulator knows no NAT gateways.
        private = ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        vpc = ec2.Vpc(self, "Vpc", max_azs=2, nat_gateways=0, subnet_configuration=[private])
        downstream = Downstream.endpoint(
            self,
            "Database",
            host=settings["host"],
            port=settings["port"],
            engine=ENGINES["mariadb"],
            max_connections=settings["max_connections"],
            secret=secretsmanager.Secret.from_secret_complete_arn(self, "Login", settings["secret_arn"]),
            certificate_authority=settings["certificate_authority"],
        )
        if settings["guarded"]:
            ConnectionBudget.of(downstream, guard_deployments=True)
        made = []
        for name, share in settings["functions"].items():
            function = VpcDatabaseFunction(
                self,
                name,
                database=downstream,
                vpc=vpc,
                code=lambda_.Code.from_asset(str(Path(__file__).parent / "worker")),
                handler="worker.handler",
                runtime=RUNTIME,
                architecture=ARCHITECTURE,
                timeout=cdk.Duration.seconds(10),
                **share,
            )
            cdk.CfnOutput(self, f"{name}Name", value=function.function_name)
            made.append(function)
        if settings.get("fails"):
            # Nobody ever signals it: it fails after a second, when everything else is done.
            handle = cdk.CfnWaitConditionHandle(self, "Handle")
            wait = cdk.CfnWaitCondition(self, "Never", count=1, timeout="1", handle=handle.ref)
            wait.node.add_dependency(*made)
        if settings["guarded"]:
            self._run_the_guard_here()

    def _run_the_guard_here(self) -> None:
        # The emulator runs functions under this Python on this machine.
        for resource in self.node.find_all():
            if isinstance(resource, lambda_.CfnFunction) and "DeploymentGuard" in resource.node.path:
                cast("Any", resource).runtime = RUNTIME.name


def main() -> None:
    for folder, settings in json.load(sys.stdin).items():
        app = cdk.App(outdir=folder)
        Shop(app, settings)
        app.synth()


if __name__ == "__main__":
    main()
