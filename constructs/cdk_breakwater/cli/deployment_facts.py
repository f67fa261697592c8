"""`breakwater measure-deployments`: two things that CloudFormation does not document, found out on the user's account.

A stack of two functions that nobody calls is made, changed so that it goes back, changed in code alone, and deleted.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Callable

    Client = Callable[[str], Any]

_FIRST, _SECOND = "First", "Second"
_PAUSE_SECONDS = 3.0
_WAIT_SECONDS = 900


@dataclass(frozen=True)
class DeploymentFacts:
    """What the account's CloudFormation did.

    Attributes
    ----------
    rolls_back_in_order
        Whether the second function, which depends on the first, went back after it.
    puts_again
        Whether a reservation that the template did not change was set again with a change of code.
    """

    rolls_back_in_order: bool
    puts_again: bool

    def sentences(self) -> list[str]:
        """Say it, and what it means for `guard_deployments`."""
        order = "follows the dependencies" if self.rolls_back_in_order else "does not follow the dependencies"
        means = "as the guard needs it" if self.rolls_back_in_order else "so that a rollback may exceed a budget"
        again = "is put again" if self.puts_again else "is left alone"
        return [
            f"A rollback {order}, {means}.",
            f"A reservation that does not change {again} when a function's code changes; the guard holds either way.",
        ]


def measure(client: Client, pause: float = _PAUSE_SECONDS) -> DeploymentFacts:
    """Find both out, and delete what was made for it, whatever happens.

    Parameters
    ----------
    client
        Makes the client of a service.
    pause
        Seconds between two looks at the stack.

    Raises
    ------
    BreakwaterError
        When a step ends otherwise than it must, such as in an account that can reserve no concurrency.
    """
    stack = _Stack(client, f"breakwater-measures-{uuid4().hex[:8]}", pause)
    try:
        stack.put(_template(1), "create", "CREATE_COMPLETE")
        stack.put(_template(2, fails=True), "update", "UPDATE_ROLLBACK_COMPLETE")
        in_order = _went_back_in_order(stack.events())
        functions, name = client("lambda"), stack.physical_id(_FIRST)
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
        stack.put(_template(1, code="again"), "update", "UPDATE_COMPLETE")
        now = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        return DeploymentFacts(in_order, now == 1)
    finally:
        stack.delete()


def _went_back_in_order(events: list[dict[str, Any]]) -> bool:
    """Tell whether the second function began to go back when the first one had done so; the events are oldest first."""
    begun = next(n for n, event in enumerate(events) if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS")
    after = [(event["LogicalResourceId"], event["ResourceStatus"]) for event in events[begun:]]
    done, starts = (_FIRST, "UPDATE_COMPLETE"), (_SECOND, "UPDATE_IN_PROGRESS")
    return done in after and starts in after and after.index(done) < after.index(starts)


class _Stack:
    def __init__(self, client: Client, name: str, pause: float) -> None:
        self._cloudformation = client("cloudformation")
        self._name = name
        self._pause = pause
        self._id: str | None = None

    def put(self, template: dict[str, Any], operation: str, expected: str) -> None:
        call = getattr(self._cloudformation, f"{operation}_stack")
        body = json.dumps(template)
        self._id = call(StackName=self._name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])["StackId"]
        if (status := self._settled()) != expected:
            reasons = [
                event.get("ResourceStatusReason") for event in self.events() if "FAILED" in event["ResourceStatus"]
            ]
            reason = next(filter(None, reasons), "no reason given")
            raise BreakwaterError(
                self._name,
                f"the {operation} ended in {status}, not in {expected}: {reason}.",
                "Nothing was found out. It needs an account that can reserve a concurrency of 4.",
            )

    def events(self) -> list[dict[str, Any]]:
        """Give all events, the oldest first."""
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=self._id)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def physical_id(self, logical_id: str) -> str:
        found = self._cloudformation.describe_stack_resource(StackName=self._id, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def delete(self) -> None:
        if self._id is not None:
            self._cloudformation.delete_stack(StackName=self._id)
            if (status := self._settled()) != "DELETE_COMPLETE":
                raise BreakwaterError(self._name, f"the stack is still there ({status}).", "Delete it by hand.")

    def _settled(self) -> str:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            status = self._cloudformation.describe_stacks(StackName=self._id)["Stacks"][0]["StackStatus"]
            if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
                return status
            time.sleep(self._pause)


def _template(reserved: int, *, code: str = "", fails: bool = False) -> dict[str, Any]:
    def function(*after: str) -> dict[str, Any]:
        return {
            "Type": "AWS::Lambda::Function",
            "DependsOn": [*after],
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": f"def handler(event, context):\n    return {code!r}\n"},
                "ReservedConcurrentExecutions": reserved,
            },
        }

    assume = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    resources: dict[str, Any] = {
        # It may do nothing at all.
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [assume]}},
        },
        _FIRST: function(),
        _SECOND: function(_FIRST),
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
    }
    if fails:
        # Nobody signals it, so that it fails when both functions have changed.
        resources["Never"] = {
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": [_SECOND],
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "1", "Count": 1},
        }
    return {"Description": "Throw-away functions of `breakwater measure-deployments`", "Resources": resources}
