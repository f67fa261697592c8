"""Front doors of every kind, and a look at what their templates say."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from cdk_breakwater import DecoupledInvocation, InvocationSource

NOBODY = {"acknowledge_no_authorization": "a public catalogue"}


def table(stack: cdk.Stack, **options: Any) -> dynamodb.TableV2:
    key = dynamodb.Attribute(name="order_id", type=dynamodb.AttributeType.STRING)
    return dynamodb.TableV2(stack, "Orders", **{"partition_key": key, **options})


def source(kind: str, stack: cdk.Stack) -> InvocationSource:
    return {
        "sqs": InvocationSource.sqs,
        "fifo": lambda: InvocationSource.sqs(fifo=True),
        "kinesis": lambda: InvocationSource.kinesis(shard_count=1),
        "dynamodb": lambda: InvocationSource.dynamodb_stream(table(stack)),
    }[kind]()


def open_door(stack: cdk.Stack, function: lambda_.Function, kind: str = "sqs", **options: Any) -> DecoupledInvocation:
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=source(kind, stack))
    jobs.add_front_door("Door", **{"path": "orders", **options})
    return jobs


def own_queue(stack: cdk.Stack, policy: sqs.RedriveAllowPolicy | None = None) -> InvocationSource:
    dead = sqs.Queue(stack, "Dead", retention_period=cdk.Duration.days(14), redrive_allow_policy=policy)
    redrive = sqs.DeadLetterQueue(queue=dead, max_receive_count=5)
    minute = cdk.Duration.minutes(1)
    return InvocationSource.sqs(sqs.Queue(stack, "Mine", visibility_timeout=minute, dead_letter_queue=redrive))


def text(value: Any) -> str:
    return json.dumps(value).replace('\\"', '"')


def method(template: Template, verb: str) -> dict[str, Any]:
    (found,) = template.find_resources("AWS::ApiGateway::Method", {"Properties": {"HttpMethod": verb}}).values()
    return found["Properties"]


def policies(template: Template, role: str) -> list[tuple[Any, Any]]:
    """Return action and resource of every statement of the roles whose logical id starts so."""
    return [
        (statement["Action"], statement["Resource"])
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if policy["Properties"]["Roles"][0]["Ref"].startswith(role)
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
