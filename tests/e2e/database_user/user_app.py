"""A function with a user of its own, at several stages of its life: `python -m tests.e2e.database_user.user_app`.

Standard input: from each stage's folder to what its stacks are made of. One process makes all of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from demo.app import ARCHITECTURE, ENGINES, RUNTIME

from cdk_breakwater import DatabaseCredentials, Downstream, VpcDatabaseFunction


class Users(cdk.Stack):
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
            engine=ENGINES[settings["engine"]],
            max_connections=settings["max_connections"],
            secret=secretsmanager.Secret.from_secret_complete_arn(self, "Master", settings["secret_arn"]),
            database_name=settings["database"],
            certificate_authority=settings["certificate_authority"],
        )
        orders = VpcDatabaseFunction(
            self,
            "Orders",
            database=downstream,
            vpc=vpc,
            credentials=DatabaseCredentials.user(settings["user"], grants=settings["grants"]),
            verify_at_deploy=True,
            code=lambda_.Code.from_asset(str(Path(__file__).parent / "orders")),
            handler="orders.handler",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
        )
        user = orders.database_user
        assert user is not None
        assert user.secret is not None
        cdk.CfnOutput(self, "Function", value=orders.function_name)
        cdk.CfnOutput(self, "SecretArn", value=user.secret.secret_arn)


def main() -> None:
    for folder, stacks in json.load(sys.stdin).items():
        app = cdk.App(outdir=folder)
        for settings in stacks:
            Users(app, settings)
        app.synth()


if __name__ == "__main__":
    main()
