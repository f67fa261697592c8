"""Answers CloudFormation for the gate and for the release of a stack."""

from __future__ import annotations

import json
import logging
import urllib.request
from typing import Any

from . import gate, release
from .account import Account, Refused, boto_client
from .table import Table

GATE, RELEASE = "Custom::BreakwaterGate", "Custom::BreakwaterRelease"
# The request type of `breakwater raise`, which CloudFormation does not have.
RAISE = "Raise"
# CloudFormation takes up to 4,096 bytes. Source: CloudFormation User Guide, "Custom resource response objects".
_REASON_CHARACTERS = 1000


def handler(event: dict[str, Any], context: Any) -> list[str] | None:  # noqa: ARG001 -- Lambda's
    """Do what CloudFormation asks for, and say how it went; or what `breakwater raise` asks for, and return it."""
    logging.getLogger().setLevel(logging.INFO)
    if event["RequestType"] == RAISE:
        return release.raise_by_hand(event["StackName"], Account(boto_client))
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer["PhysicalResourceId"] = event.get("PhysicalResourceId") or event["LogicalResourceId"]
    try:
        answer |= {"Status": "SUCCESS", "Data": respond(event, Account(boto_client))}
    except Exception as error:
        # Unanswered, CloudFormation waits for as long as it may.
        logging.getLogger(__name__).warning("%s failed: %s", event["RequestType"], error)
        answer |= {"Status": "FAILED", "Reason": str(error)[:_REASON_CHARACTERS]}
    _put(event["ResponseURL"], answer)
    return None


def respond(event: dict[str, Any], account: Account) -> dict[str, str]:
    """Do it, and return what the gate answers.

    Raises
    ------
    Refused
        When it cannot be done within the budget.
    """
    table = Table.of(event["ResourceProperties"])
    old = Table.of(event["OldResourceProperties"]) if "OldResourceProperties" in event else None
    if event["ResourceType"] == GATE and event["RequestType"] != "Delete":
        return gate.answer(event, table, old, account)
    if event["ResourceType"] == RELEASE and event["RequestType"] == "Delete":
        stack = event["StackId"].split("/")[1]
        described = account.stack(event["StackId"])
        # A stack that is deleted, or was never made, leaves its functions to nobody, and waits for nobody.
        if described is not None and described["StackStatus"].startswith("UPDATE_"):
            release.let_rise(stack, table, account)
    return {}


def _put(url: str, answer: dict[str, Any]) -> None:
    # An empty content type, since it is part of what the URL is signed for.
    request = urllib.request.Request(url, _written(answer), {"Content-Type": ""}, method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 -- CloudFormation's own URL
        pass


def _written(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()


__all__ = ["Refused", "handler", "respond"]
