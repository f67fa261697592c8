"""Whether the template reserves what the shares are, whoever had the last word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations

from .._cdk.rendered import rendered

if TYPE_CHECKING:
    from .budget import ConnectionBudget

_PROPERTY = "ReservedConcurrentExecutions"


def reserved_concurrency_errors(budget: ConnectionBudget) -> list[str]:
    """Compare the reserved concurrency of a budget's functions, as rendered, with their shares.

    An Aspect or an override may have changed or removed it after us. More than the share, or nothing, breaks the
    budget; less leaves connections unused, and is a warning.
    """
    errors = []
    for share in budget.shares:
        if share.reserves is None or share.is_guarded:  # a guard's answer is known at deployment only
            continue
        resource: Any = share.reserves.node.default_child
        found, wanted = rendered(resource, _PROPERTY).get(_PROPERTY), share.resolve()
        if found == wanted:
            continue
        problem = (
            f"{resource.node.path} reserves {'no concurrency' if found is None else f'a concurrency of {found}'} "
            f"in the template, and its share of {budget.title} is {wanted} ({share.reason}): an Aspect or an override "
            "came after it."
        )
        if isinstance(found, (int, float)) and found < wanted:
            Annotations.of(budget).add_warning_v2(
                "cdk-breakwater:reserved-below-share",
                f"{problem} Pass concurrency={int(found)} instead, and others get the rest."
                if found
                else f"{problem} It does not run.",
            )
        else:
            errors.append(f"{problem} Remove that, and pass concurrency=… or a weight.")
    return errors
