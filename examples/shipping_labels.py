"""Shipping labels from a provider that grants 10 calls a second and 5,000 a day: app, handler and tests.

The handler is shipping/labels.py; shipping/test_labels.py and shipping/test_stack.py need neither AWS nor the provider.
"""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk_breakwater import QuotaThrottledInvocation, QuotaTier

PROVIDER = "https://shipping.example.net/labels"


class Labels(cdk.Stack):
    """A queue of orders, and a function that asks the provider for one label after the other.

    Parameters
    ----------
    provider
        URL of the provider.
    """

    def __init__(self, scope: Construct, id: str, *, provider: str = PROVIDER) -> None:
        super().__init__(scope, id)
        caller = lambda_.Function(
            self,
            "Caller",
            code=lambda_.Code.from_asset(str(Path(__file__).parent / "shipping"), exclude=["test_*.py", "__pycache__"]),
            handler="labels.handler",
            runtime=lambda_.Runtime.PYTHON_3_14,
            timeout=Duration.seconds(10),
            memory_size=256,
            tracing=lambda_.Tracing.ACTIVE,
            reserved_concurrent_executions=20,
            environment={"PROVIDER": provider},
        )
        self.quota = QuotaThrottledInvocation(
            self,
            "Quota",
            function=caller,
            tiers=[
                QuotaTier(limit=10, period=Duration.seconds(1)),
                QuotaTier(limit=5_000, period=Duration.days(1)),
            ],
        )
        self.quota.alarms(sns.Topic(self, "Pager", enforce_ssl=True))
        cdk.CfnOutput(self, "Queue", value=self.quota.queue.queue_url)
        acknowledge(
            self,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
            "AwsSolutions-IAM5[Resource::*]",
            "Serverless-LambdaDLQ",
            *(
                f"{pack}-{name}"
                for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
                for name in ("LambdaDLQ", "LambdaInsideVPC", "IAMNoInlinePolicy", "SNSEncryptedKMS")
            ),
        )


def acknowledge(construct: Construct, *rules: str) -> None:
    reason = "It calls a provider on the internet, and the quota's queue keeps what fails; keys are left out."
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


if __name__ == "__main__":
    app = cdk.App()
    Labels(app, "Labels", provider=app.node.try_get_context("provider") or PROVIDER)
    app.synth()
