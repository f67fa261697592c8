"""`breakwater raise`: it calls the guard of the stack, and says what it answers."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from cdk_breakwater import BreakwaterError
from cdk_breakwater.cli.raise_reservations import raise_reservations


class Account:
    """CloudFormation and Lambda, as far as the command asks for them."""

    def __init__(self, answer: Any, *, logical_id: str = "BreakwaterDeploymentGuardFunction1F", failed: bool = False):
        self.answer, self.failed = answer, failed
        self.resources = [
            ("Orders", "AWS::Lambda::Function", "shop-orders"),
            (logical_id, "AWS::Lambda::Function", "g"),
        ]
        self.invoked: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str) -> Any:
        return self

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_stack_resources"
        return self

    def paginate(self, StackName: str) -> Any:  # noqa: N803
        keys = ("LogicalResourceId", "ResourceType", "PhysicalResourceId")
        return ({"StackResourceSummaries": [dict(zip(keys, each, strict=True))]} for each in self.resources)

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.invoked.append((FunctionName, json.loads(Payload)))
        error = {"FunctionError": "Unhandled"} if self.failed else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **error}


def test_the_guard_is_asked_and_its_answer_returned() -> None:
    account = Account(["Orders has 18 of 36: others hold the rest."])
    assert raise_reservations("Shop", account.client) == ["Orders has 18 of 36: others hold the rest."]
    assert account.invoked == [("g", {"RequestType": "Raise", "StackName": "Shop"})]


def test_a_stack_without_a_guard_is_named() -> None:
    account = Account([], logical_id="Reports")
    with pytest.raises(BreakwaterError, match=r"Shop: it has no deployment guard\. Name a stack whose"):
        raise_reservations("Shop", account.client)
    assert account.invoked == []


def test_what_the_guard_refuses_is_said() -> None:
    account = Account({"errorMessage": "Stack Search is being deployed (UPDATE_IN_PROGRESS)."}, failed=True)
    with pytest.raises(BreakwaterError, match="Shop: Stack Search is being deployed"):
        raise_reservations("Shop", account.client)
