"""What an account's concurrency quota can grant to reserved concurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations, Stack, Stage

from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.lambda_service import ACCOUNT_CONCURRENCY, UNRESERVED_MINIMUM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import IConstruct

    from .budget import ConnectionBudget

CONTEXT_KEY = "account_concurrency"


def account_concurrency(scope: IConstruct) -> int:
    """Read the account's concurrency quota from the context key `account_concurrency`; default 1,000.

    Raises
    ------
    BreakwaterError
        When the value is no whole number above 0.
    """
    value = scope.node.try_get_context(CONTEXT_KEY)
    if value is None:
        return ACCOUNT_CONCURRENCY
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

    Every function of the app counts, also those without a share. A deployment that reserves more is refused by Lambda
    halfway through.

    Parameters
    ----------
    budget
        The budget being validated. It reports the accounts in which it is the first to reserve.
    budgets
        Every budget there is; those of other apps are left out.
    """
    root = budget.node.root
    errors = []
    environments = _first_of(budget, [other for other in budgets if other.node.root is root])
    reserved = _reserved(root, budgets) if environments else {}
    for environment in environments:
        quota = account_concurrency(budget)
        holders = reserved[environment]
        total = sum(holders)
        sentence = (
            f"{len(holders)} functions reserve a concurrency of {total} in {environment}, and an account with a quota "
            f"of {quota} (context {CONTEXT_KEY}) can reserve {max(0, quota - UNRESERVED_MINIMUM)}."
        )
        if total > quota - UNRESERVED_MINIMUM:
            errors.append(
                f"{sentence} Raise the quota and the context key, pass concurrency=… or a lower max_connections, or, "
                "for a sandbox or a new account, reserve_concurrency=False on the functions."
            )
        elif total >= (quota - UNRESERVED_MINIMUM) / 2:
            Annotations.of(budget).add_warning_v2("cdk-breakwater:account-concurrency", sentence)
    return errors


def _first_of(budget: ConnectionBudget, budgets: Sequence[ConnectionBudget]) -> list[str]:
    first: dict[str, ConnectionBudget] = {}
    for other in budgets:
        for share in other.shares:
            if share.reserves is not None:
                first.setdefault(_environment(share.reserves), other)
    return [environment for environment, holder in first.items() if holder is budget]


def _reserved(root: IConstruct, budgets: Sequence[ConnectionBudget]) -> dict[str, list[int]]:
    from aws_cdk import aws_lambda as lambda_

    # What a deployment guard answers is known at deployment only: its share is what it comes to.
    guarded = {
        share.reserves.node.default_child.node.path: share
        for budget in budgets
        for share in budget.shares
        if share.reserves is not None and share.reserves.node.default_child is not None and share.is_guarded
    }
    reserved: dict[str, list[int]] = {}
    for resource in root.node.find_all():
        if isinstance(resource, lambda_.CfnFunction):
            share = guarded.get(resource.node.path)
            given = resource.reserved_concurrent_executions
            value = Stack.of(resource).resolve(given) if share is None else share.resolve()
            if isinstance(value, (int, float)):
                reserved.setdefault(_environment(resource), []).append(int(value))
    return reserved


def _environment(construct: IConstruct) -> str:
    environment = Stack.of(construct).environment
    stage = Stage.of(construct)
    if stage is None or not stage.node.path or "unknown-" not in environment:
        return environment
    # Stages without a concrete environment go to accounts of their own, as far as anybody can tell.
    return f"{environment} ({stage.node.path})"
