"""A front door before a table: what becomes of a job's item later is not the job again."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_breakwater import DecoupledInvocation, InvocationSource

from .doors import NOBODY, open_door, table


def patterns(stack: cdk.Stack) -> list[dict[str, Any]]:
    (mapping,) = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping").values()
    return [json.loads(each["Pattern"]) for each in mapping["Properties"].get("FilterCriteria", {}).get("Filters", [])]


def test_the_mapping_hands_over_inserts_alone(stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = open_door(stack, function, "dynamodb")
    jobs.add_front_door("Second", path="others", **NOBODY)
    assert patterns(stack) == [{"eventName": ["INSERT"]}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"dynamodb": {"Keys": {"order_id": {"S": ["7"]}}}}, ["INSERT"]),
        ({"eventName": ["INSERT", "REMOVE"]}, ["INSERT", "REMOVE"]),
    ],
)
def test_within_filters_of_the_users_own(
    stack: cdk.Stack, function: lambda_.Function, given: dict[str, Any], expected: list[str]
) -> None:
    source = InvocationSource.dynamodb_stream(table(stack), filters=[{"pattern": json.dumps(given)}])
    DecoupledInvocation(stack, "Jobs", function=function, source=source).add_front_door("Door", path="orders")
    assert patterns(stack) == [{**given, "eventName": expected}]


def test_without_a_front_door_every_change_is_work(stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.dynamodb_stream(table(stack))
    DecoupledInvocation(stack, "Jobs", function=function, source=source)
    assert patterns(stack) == []
