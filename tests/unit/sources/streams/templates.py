"""A look at what a template says of streams and of who reads them."""

from __future__ import annotations

import re
from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Template


def mapping(stack: cdk.Stack) -> dict[str, Any]:
    (found,) = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping").values()
    return found["Properties"]


def factors(stack: cdk.Stack) -> dict[str, Any]:
    """Return each mapping's factor, or MaximumConcurrency for a queue's, by the invocation's id."""
    found = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping")
    return {
        logical_id.removesuffix(re.findall("Mapping.*", logical_id)[-1]): properties.get(
            "ParallelizationFactor", properties.get("ScalingConfig", {}).get("MaximumConcurrency")
        )
        for logical_id, resource in found.items()
        for properties in (resource["Properties"],)
    }


def actions(stack: cdk.Stack) -> dict[str, set[str]]:
    """Return what each role may do."""
    allowed: dict[str, set[str]] = {}
    for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values():
        (role,) = policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            given = statement["Action"]
            allowed.setdefault(role["Ref"], set()).update([given] if isinstance(given, str) else given)
    return allowed
