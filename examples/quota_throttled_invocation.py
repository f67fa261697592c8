"""Shipping labels from a provider that grants 10 calls a second and 5,000 a day, its day beginning in Los Angeles."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Duration
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
            raise RetryAfter(int(error.headers["Retry-After"]))
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
)
shop = lambda_.Function(
    stack,
    "Shop",
    runtime=lambda_.Runtime.PYTHON_3_14,
    handler="index.handler",
    code=lambda_.Code.from_inline("def handler(event, context):\n    return {'statusCode': 202}\n"),
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
labels.alarms()

app.synth()
