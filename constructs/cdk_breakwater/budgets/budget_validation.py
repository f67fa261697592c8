"""What fails the synth, or warns, when a budget does not add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations

from .._cdk.nested_stacks import outermost_stack
from ..errors import BreakwaterError
from .account_reservations import account_concurrency_errors
from .provisioned_concurrency import provisioned_concurrency_errors
from .proxy_pools import pools_error
from .queue_maximum_concurrency import compare_queues
from .reserved_concurrency import reserved_concurrency_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .budget import ConnectionBudget


def budget_errors(budget: ConnectionBudget, budgets: Sequence[ConnectionBudget]) -> list[str]:
    """Validate one budget, once every construct and Aspect has had its say.

    Parameters
    ----------
    budget
        The budget.
    budgets
        Every budget of the app, since they share the account's concurrency.

    Returns
    -------
    list
        What is wrong, in words.
    """
    errors = _errors(budget)
    if not errors:
        compare_queues(budget)
    return (
        errors
        or reserved_concurrency_errors(budget)
        or provisioned_concurrency_errors(budget)
        or account_concurrency_errors(budget, budgets)
    )


def _errors(budget: ConnectionBudget) -> list[str]:
    try:
        found = budget.settle()
        proxies = bool(budget.pools or (budget.shares and budget.unnamed_pools))
        too_much = pools_error(budget) if proxies else None
    except BreakwaterError as error:
        return [f"{error.problem} {error.remedy}"]
    if too_much is not None:
        return [too_much]
    if (told := budget.contradiction()) is not None:
        return [told]
    if budget.shared_connections < 1 and (budget.shares or not (budget.pools or budget.unnamed_pools)):
        return [
            f"max_connections = {found.value} ({found.basis}) leaves nothing to share: {_arithmetic(budget)}. "
            "Raise max_connections, or lower external_connections."
        ]
    if sum(share.claim.least_connections for share in budget.shares) > budget.shared_connections:
        return [_oversubscription(budget)]
    _say_who_shares(budget)
    if budget.shares and budget.downstream is not None and (caution := budget.downstream.caution()) is not None:
        Annotations.of(budget).add_warning_v2("cdk-breakwater:servers-in-common", caution)
    if budget.shares and budget.downstream is not None and (lost := budget.downstream.lacks()) is not None:
        Annotations.of(budget).add_warning_v2("cdk-breakwater:server-lacks-setting", lost)
    if found.estimated and budget.shares:
        Annotations.of(budget).add_warning_v2(
            "cdk-breakwater:estimated-max-connections",
            f"max_connections = {found.value} is {found.basis}. Set max_connections in the database's parameter "
            "group, or pass ConnectionBudget.of(database, max_connections=…), and the number is known.",
        )
    return []


def _arithmetic(budget: ConnectionBudget) -> str:
    pools = f" - {budget.pool_connections} of proxies" if budget.pool_connections else ""
    return (
        f"({budget.max_connections} - {budget.reserved_connections} reserved - {budget.external_connections} "
        f"external{pools}) x {budget.utilization} = {budget.shared_connections}"
    )


def _oversubscription(budget: ConnectionBudget) -> str:
    needs = {share: share.claim.least_connections for share in budget.shares}
    width = max(len(share.name) for share in needs)
    return "\n".join(
        [
            f"the shares need at least {sum(needs.values())} connections of {budget.shared_connections}: "
            f"{_arithmetic(budget)}.",
            f"  {'share':<{width}}  {'needs':>6}  because",
            *(f"  {share.name:<{width}}  {least:>6}  {share.reason}" for share, least in needs.items()),
            "Lower a concurrency, remove a function, or give the database more connections.",
        ]
    )


def _say_who_shares(budget: ConnectionBudget) -> None:
    """Tell an app whose stacks share a budget that one of them deployed alone leaves the others as they were."""
    functions = [share.function for share in budget.shares if share.function is not None]
    stacks = list(dict.fromkeys(outermost_stack(function) for function in functions))
    if len(stacks) < 2 or budget.guards_deployments:
        return
    names = [stack.stack_name for stack in stacks]
    Annotations.of(budget).add_info_v2(
        "cdk-breakwater:shared-budget",
        f"The stacks {', '.join(names)} share it. When a share changes, deploy all of them: first those whose shares "
        "fall, then those whose shares rise or are new. `breakwater plan --diff` names the order. If one of them is "
        "deployed alone, the functions may reserve more than the budget.",
    )
