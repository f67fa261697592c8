"""Shapes that apps come in: each is synthesized once, every template of it linted, and what matters asserted."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner

ENVIRONMENT = cdk.Environment(account="123456789012", region="eu-central-1")
POSTGRESQL = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17_9)
CODE: dict[str, Any] = {"handler": "index.handler", "runtime": lambda_.Runtime.PYTHON_3_14}
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"

Templates = dict[str, "Template"]


class Template:
    """One synthesized template, by types."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.resources: dict[str, dict[str, Any]] = content["Resources"]

    def all(self, type_: str) -> dict[str, dict[str, Any]]:
        """Give the properties of the resources of a type, by logical id."""
        return {
            id_: resource.get("Properties", {}) for id_, resource in self.resources.items() if resource["Type"] == type_
        }

    def one(self, type_: str) -> dict[str, Any]:
        """Give the properties of the only resource of a type."""
        (properties,) = self.all(type_).values()
        return properties

    @property
    def concurrency(self) -> list[int]:
        """The reserved concurrency of each function that has one, in the order of the template."""
        functions = self.all("AWS::Lambda::Function").values()
        return [function[name] for function in functions if (name := "ReservedConcurrentExecutions") in function]


@cache
def linter() -> Runner:
    # E3620: its list of DocumentDB's classes lacks db.serverless (DocumentDB Developer Guide, "Using serverless").
    # W3005, W3010: the CDK writes each dependency, also those that a GetAtt implies, and the zones that it looked up.
    return Runner(ConfigMixIn(regions=["eu-central-1"], ignore_checks=["W3005", "W3010", "E3620"]))


def lint(text: str) -> list[str]:
    template, errors = decode_str(text)
    return [str(match) for match in (*errors, *linter().validate_template(template))]


@pytest.fixture
def app() -> cdk.App:
    return cdk.App()


@pytest.fixture
def synthesized(app: cdk.App) -> Callable[[], Templates]:
    """Synthesize the app, lint all of its templates, those of Stages and nested stacks too, and give them by name."""

    def synthesize() -> Templates:
        folder = Path(app.synth().directory)
        texts = {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*.template.json")}
        assert {name: found for name, text in texts.items() if (found := lint(text))} == {}
        return {name.removesuffix(".template.json"): Template(json.loads(text)) for name, text in texts.items()}

    return synthesize


def stack_in(scope: cdk.App | cdk.Stage, name: str) -> cdk.Stack:
    return cdk.Stack(scope, name, env=ENVIRONMENT)


def vpc_in(stack: cdk.Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1)


def database_in(vpc: ec2.IVpc, stack: cdk.Stack | None = None, **options: Any) -> rds.DatabaseInstance:
    """112 connections, 12 of them PostgreSQL's own: 80 are shared."""
    options = {"parameters": {"max_connections": "112"}, "storage_encrypted": True, **options}
    return rds.DatabaseInstance(stack or cdk.Stack.of(vpc), "Database", engine=POSTGRESQL, vpc=vpc, **options)


def code() -> dict[str, Any]:
    return {**CODE, "code": lambda_.Code.from_inline("def handler(event, context): pass")}
