"""What an account's concurrency quota can grant to reserved concurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations, Stack

from .errors import BreakwaterError
from .required_number import required_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import IConstruct

    from .connection_budget import ConnectionBudget
    from .connection_share import ConnectionShare

CONTEXT_KEY = "account_concurrency"
DEFAULT_QUOTA = 1000
"""Concurrent executions of an account per Region. Source: AWS Lambda Developer Guide, "Lambda quotas"."""
UNRESERVED_MINIMUM = 100
"""What must stay unreserved. Source: AWS Lambda Developer Guide, "Configuring reserved concurrency"."""


def account_concurrency(scope: IConstruct) -> int:
    """Read the account's concurrency quota from the context key `account_concurrency`; default 1,000.

    Raises
    ------
    BreakwaterError
        When the value is no whole number above 0.
    """
    value = scope.node.try_get_context(CONTEXT_KEY)
    if value is None:
        return DEFAULT_QUOTA
    try:
        return required_number(scope, f"context {CONTEXT_KEY}", float(value))
    except (TypeError, ValueError) as error:
        raise BreakwaterError(
            scope,
            f"context {CONTEXT_KEY} must be a whole number above 0 (given {value!r}).",
            "It is the account's quota of concurrent executions in the Region; AWS's default is 1000.",
        ) from error


def account_concurrency_errors(budget: ConnectionBudget, budgets: Sequence[ConnectionBudget]) -> list[str]:
    """Compare what the app reserves in each account and Region with what the account can grant.

    A deployment that reserves more is refused by Lambda halfway through.

    Parameters
    ----------
    budget
        The budget being validated. It reports the accounts in which it is the first to reserve.
    budgets
        Every budget there is; those of other apps are left out.
    """
    root = budget.node.root
    reserving: dict[str, list[tuple[ConnectionBudget, ConnectionShare]]] = {}
    for other in budgets:
        if other.node.root is root:
            for share in other.shares:
                if share.reserves is not None:
                    reserving.setdefault(Stack.of(share.reserves).environment, []).append((other, share))
    errors = []
    for environment, holders in reserving.items():
        if holders[0][0] is not budget:
            continue
        quota = account_concurrency(budget)
        total = sum(share.resolve() for _, share in holders)
        sentence = (
            f"{len(holders)} functions reserve a concurrency of {total} in {environment}, and an account with a quota "
            f"of {quota} (context {CONTEXT_KEY}) can reserve {max(0, quota - UNRESERVED_MINIMUM)}."
        )
        if total > quota - UNRESERVED_MINIMUM:
            errors.append(
                f"{sentence} Raise the quota and the context key, pass concurrency=… or a lower max_connections, or, "
                "for a sandbox or a new account, reserve_concurrency=False on the functions."
            )
        elif total > (quota - UNRESERVED_MINIMUM) / 2:
            Annotations.of(budget).add_warning_v2("cdk-breakwater:account-concurrency", sentence)
    return errors
