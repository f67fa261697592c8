"""Provisioned concurrency of a function's aliases and versions against the function's share."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .qualified_function import qualifiers, resolved

if TYPE_CHECKING:
    from constructs import IConstruct

    from .connection_budget import ConnectionBudget


def provisioned_concurrency_errors(budget: ConnectionBudget) -> list[str]:
    """Compare what is provisioned for the functions of a budget with their shares.

    Provisioned environments are part of the reserved ones: Lambda refuses more of them, halfway through the deployment.
    Source: AWS Lambda Developer Guide, "Understanding reserved and provisioned concurrency".
    """
    bound = {
        share.function.node.default_child.node.path: share
        for share in budget.shares
        if share.function is not None and share.function.node.default_child is not None
    }
    if not bound:
        return []
    provisioned = _provisioned(budget.node.root)
    return [
        f"{share.name}: its aliases and versions have a provisioned concurrency of {provisioned[path]}, and its share "
        f"is {share.resolve()} ({share.reason}). Provision {share.resolve()} or less, or give it a larger share."
        for path, share in bound.items()
        if provisioned[path] > share.resolve()
    ]


def _provisioned(root: IConstruct) -> Counter[str]:
    from aws_cdk import aws_lambda as lambda_

    found: Counter[str] = Counter()
    for type_ in (lambda_.CfnAlias, lambda_.CfnVersion):
        for path, resource in qualifiers(root, type_):
            executions = resolved(resource, "provisionedConcurrencyConfig").get("provisionedConcurrentExecutions")
            if isinstance(executions, (int, float)):
                found[path] += int(executions)
    return found
