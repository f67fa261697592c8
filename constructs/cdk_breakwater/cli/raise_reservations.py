"""`breakwater raise`: let the guard of a deployed stack raise what it withheld, as far as there is room now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError
from .stack_resources import stack_resources

if TYPE_CHECKING:
    from collections.abc import Callable

    Client = Callable[[str], Any]

_FUNCTION, _GUARD = "AWS::Lambda::Function", "BreakwaterDeploymentGuard"


def raise_reservations(stack: str, client: Client) -> list[str]:
    """Have functions that share a budget with a stack's raised to their shares, as at the end of a deployment.

    Parameters
    ----------
    stack
        The name of a deployed stack with a guard.
    client
        Makes the client of a service.

    Returns
    -------
    list of str
        Who is still below the share, in sentences.

    Raises
    ------
    BreakwaterError
        When the stack has no guard, or the guard refuses, such as while a stack is being deployed.
    """
    guard = next(
        (
            resource["PhysicalResourceId"]
            for resource in stack_resources(client("cloudformation"), stack)
            if resource["ResourceType"] == _FUNCTION and resource["LogicalResourceId"].startswith(_GUARD)
        ),
        None,
    )
    if guard is None:
        raise BreakwaterError(
            stack, "it has no deployment guard.", "Name a stack whose budgets have guard_deployments=True."
        )
    event = json.dumps({"RequestType": "Raise", "StackName": stack})
    answer = client("lambda").invoke(FunctionName=guard, Payload=event.encode())
    found = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise BreakwaterError(
            stack, str(found.get("errorMessage", found)), "What was reserved stays within the budget."
        )
    return found
