"""Acknowledgements of cdk-nag, for its version 2 as well, which reads the metadata of resources."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from cdk_breakwater._cdk import nag


def synthesized(stack: cdk.Stack) -> list[list[dict[str, Any]]]:
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    cdk.CfnResource(role, "Own", type="A::B::C").add_metadata("cdk_nag", {"rules_to_suppress": [{"id": "Mine"}]})
    nag.acknowledge(role, "first", "AwsSolutions-IAM5[Resource::<Queue.Arn>*]", *nag.compliance_rules("LambdaDLQ"))
    nag.acknowledge(role, "second", "AwsSolutions-IAM4")
    # What is made later is acknowledged, too.
    role.add_to_policy(iam.PolicyStatement(actions=["sqs:*"], resources=["*"]))
    resources = Template.from_stack(stack).to_json()["Resources"].values()
    return [resource.get("Metadata", {}).get("cdk_nag", {}).get("rules_to_suppress", []) for resource in resources]


OURS = [
    {"id": "AwsSolutions-IAM5", "reason": "first", "applies_to": ["Resource::<Queue.Arn>*"]},
    *({"id": f"{pack}-LambdaDLQ", "reason": "first"} for pack in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")),
    {"id": "AwsSolutions-IAM4", "reason": "second"},
]


@pytest.mark.parametrize(("version", "reads"), [("2.38.2", True), ("3.0.2", False)])
def test_version_2_finds_them_at_each_resource(
    stack: cdk.Stack, monkeypatch: pytest.MonkeyPatch, version: str, reads: bool
) -> None:
    monkeypatch.setitem(sys.modules, "cdk_nag", ModuleType("cdk_nag"))
    monkeypatch.setattr(nag, "version", Mock(return_value=version))
    role, own, policy = synthesized(stack)
    assert (role, own[1:], policy) == ((OURS, OURS, OURS) if reads else ([], [], []))
    assert own[0] == {"id": "Mine"}


def test_an_app_without_it_has_nothing_of_it(stack: cdk.Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cdk_nag", raising=False)
    monkeypatch.setattr(nag, "version", Mock(return_value="2.38.2"))
    assert synthesized(stack) == [[], [{"id": "Mine"}], []]
