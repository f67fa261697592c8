"""Provisioned concurrency of a function's aliases and versions against the function's share."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .._cdk.function_qualifiers import qualifiers
from .._cdk.references import references
from .._cdk.rendered import rendered, rendered_resources

if TYPE_CHECKING:
    from constructs import IConstruct

    from .budget import ConnectionBudget


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

    scaled = _scaled(root)
    found: Counter[str] = Counter()
    for type_ in (lambda_.CfnAlias, lambda_.CfnVersion):
        for path, resource in qualifiers(root, type_):
            config = rendered(resource, "ProvisionedConcurrencyConfig").get("ProvisionedConcurrencyConfig", {})
            executions = config.get("ProvisionedConcurrentExecutions")
            numbers = [executions, scaled.get(resource.node.path)]
            found[path] += max((int(number) for number in numbers if isinstance(number, (int, float))), default=0)
    return found


def _scaled(root: IConstruct) -> dict[str, Any]:
    """Give the most that Application Auto Scaling may provision, by the path of the alias."""
    targets = rendered_resources(
        root, "AWS::ApplicationAutoScaling::ScalableTarget", "MaxCapacity", "ScalableDimension"
    )
    return {
        alias.node.path: properties.get("MaxCapacity")
        for target, properties in targets
        if properties.get("ScalableDimension") == "lambda:function:ProvisionedConcurrency"
        for alias in references(target.resource_id, target)
    }
