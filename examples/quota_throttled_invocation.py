"""Shipping labels from a provider that grants 10 calls a second and 5,000 a day, its day beginning in Los Angeles."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater import QuotaThrottledInvocation, QuotaTier

CODE = """
import urllib.error, urllib.request

class RetryAfter(Exception):  # or from breakwater_runtime import RetryAfter
    def __init__(self, seconds):
        super().__init__(f"RetryAfter({seconds})")

def handler(event, context):
    (record,) = event["Records"]
    try:
        urllib.request.urlopen("https://shipping.example.net/labels", data=record["body"].encode(), timeout=8)
    except urllib.error.HTTPError as error:
        if error.code == 429:
            raise RetryAfter(error.headers.get("Retry-After", 1))
        raise
"""

app = cdk.App()
stack = cdk.Stack(app, "Shipping")

caller = lambda_.Function(
    stack,
    "Labels",
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline(CODE),
    timeout=Duration.seconds(10),
    memory_size=256,
    tracing=lambda_.Tracing.ACTIVE,
    reserved_concurrent_executions=20,
)
Validations.of(caller).acknowledge(
    *(
        Acknowledgment(
            id=rule,
            reason="It calls a provider on the internet with the rights of a plain function; the quota's dead-letter "
            "queue keeps what fails.",
        )
        for rule in (
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
            "AwsSolutions-IAM5[Resource::*]",
            "Serverless-LambdaDLQ",
            *(
                f"{pack}-{name}"
                for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
                for name in ("LambdaDLQ", "LambdaInsideVPC", "IAMNoInlinePolicy")
            ),
        )
    )
)
shop = iam.Role(stack, "Shop", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
Validations.of(shop).acknowledge(
    *(
        Acknowledgment(id=f"{pack}-IAMNoInlinePolicy", reason="A grant is an inline policy of the role.")
        for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
    )
)
labels = QuotaThrottledInvocation(
    stack,
    "Quota",
    function=caller,
    tiers=[
        QuotaTier(limit=10, period=Duration.seconds(1)),
        QuotaTier(limit=5_000, period=Duration.days(1), start="calendar", time_zone="America/Los_Angeles"),
    ],
    priority=True,
)
labels.grant_send(shop)

app.synth()
