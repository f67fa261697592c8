"""What an account's concurrency quota can grant to reserved concurrency: a pool of its own, beside the connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations, Stack, Stage

from .._cdk.rendered import rendered_resources
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.account_quota import ACCOUNT_CONCURRENCY, reservable
from ..limits.apportionment import Claim, OversubscribedError, apportion_capped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import IConstruct

    from .budget import ConnectionBudget
    from .share import ConnectionShare

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


def limit_to_account(root: IConstruct, wanted: Mapping[ConnectionShare, int]) -> dict[ConnectionShare, int]:
    """Lower what shares get from their databases to what their account can reserve, by weight.

    Where fixed shares and minima alone are too many, nothing is lowered: the budgets' validation then fails the synth.

    Parameters
    ----------
    root
        The app.
    wanted
        The shares that reserve concurrency, each with what its databases grant.

    Returns
    -------
    dict
        What is left of those that become smaller.
    """
    reservable = _reservable(root)
    reserved = _reserved_elsewhere(root, wanted)
    if sum(wanted.values()) + sum(sum(numbers) for numbers in reserved.values()) <= reservable:
        return {}
    lowered: dict[ConnectionShare, int] = {}
    environments: dict[str, list[ConnectionShare]] = {}
    for share in wanted:
        environments.setdefault(share.environment, []).append(share)
    for environment, shares in environments.items():
        shares.sort(key=lambda share: share.name)
        # One unit of concurrency is one here, however many connections it holds.
        claims = [Claim(share.weight, share.fixed, share.minimum) for share in shares]
        most = [wanted[share] for share in shares]
        try:
            parts = apportion_capped(reservable - sum(reserved.get(environment, ())), claims, most)
        except OversubscribedError:
            continue
        lowered |= {share: part for share, part in zip(shares, parts, strict=True) if part < wanted[share]}
    return lowered


def account_concurrency_errors(budget: ConnectionBudget, budgets: Sequence[ConnectionBudget]) -> list[str]:
    """Compare what the app reserves in each account and Region with what the account can grant.

    Every function of the app counts, also those without a share. A deployment that reserves more is refused by Lambda
    halfway through.

    Parameters
    ----------
    budget
        The budget being validated. It reports the accounts in which it is the first to reserve.
    budgets
        Every budget of the app.
    """
    root = budget.node.root
    shares = [share for other in budgets for share in other.shares if share.reserves is not None]
    first: dict[str, ConnectionBudget] = {}
    for share in shares:
        first.setdefault(share.environment, share.budget)
    environments = [environment for environment, holder in first.items() if holder is budget]
    if not environments:
        return []
    reserved = _reserved_elsewhere(root, shares)
    errors = []
    for environment in environments:
        here = [share for share in shares if share.environment == environment]
        holders = [*(share.resolve() for share in here), *reserved.get(environment, ())]
        quota, reservable, total = account_concurrency(budget), _reservable(root), sum(holders)
        sentence = (
            f"{len(holders)} function{'s reserve' if len(holders) > 1 else ' reserves'} a concurrency of {total} in "
            f"{environment}, and an account with a quota of {quota} (context {CONTEXT_KEY}) can reserve {reservable}."
        )
        _say_what_cannot_be_renamed(budget, here, reservable)
        lowered = [share for share in here if share.limited_by_account]
        if total > reservable:
            errors.append(
                f"{sentence} Raise the quota and the context key, pass concurrency=… or a lower max_connections, or, "
                "for a sandbox or a new account, reserve_concurrency=False on the functions."
            )
        elif lowered:
            named = ", ".join(f"{share.name} {share.resolve()} of {share.granted}" for share in lowered)
            Annotations.of(budget).add_warning_v2(
                "cdk-breakwater:account-concurrency-binds",
                f"{sentence} The account's concurrency limits the shares, and not the databases: {named}. Raise the "
                "quota and the context key, or pass concurrency=… to functions, so that other functions and apps have "
                "their part.",
            )
        elif total >= reservable / 2:
            Annotations.of(budget).add_warning_v2("cdk-breakwater:account-concurrency", sentence)
    return errors


def _say_what_cannot_be_renamed(budget: ConnectionBudget, shares: Sequence[ConnectionShare], reservable: int) -> None:
    """Name functions that the account cannot hold twice, as it would while one is replaced by the next."""
    large = [f"{share.name} {share.resolve()}" for share in shares if 2 * share.resolve() > reservable]
    if large and not any(share.is_guarded for share in shares):
        Annotations.of(budget).add_info_v2(
            "cdk-breakwater:no-room-to-rename",
            f"more than half of the {reservable} that the account can reserve: {', '.join(large)}. CloudFormation "
            "creates the new function before it deletes the old one. If you rename such a function or move it to "
            "another stack in one deployment, Lambda refuses the second reservation, and the deployment is rolled "
            "back. `breakwater plan --diff` shows this before you deploy. With guard_deployments=True or `cdk "
            "refactor` it works.",
        )


def environment_of(construct: IConstruct) -> str:
    """Name the account and Region that a construct's concurrency is taken from."""
    environment = Stack.of(construct).environment
    stage = Stage.of(construct)
    if stage is None or not stage.node.path or "unknown-" not in environment:
        return environment
    # Stages without a concrete environment go to accounts of their own, as far as anybody can tell.
    return f"{environment} ({stage.node.path})"


def _reservable(root: IConstruct) -> int:
    return reservable(account_concurrency(root))


def _reserved_elsewhere(
    root: IConstruct, shares: Mapping[ConnectionShare, int] | Sequence[ConnectionShare]
) -> dict[str, list[int]]:
    """Give what functions without a share reserve, by account and Region."""
    bound = [share.reserves.node.default_child for share in shares if share.reserves is not None]
    paths = [resource.node.path for resource in bound if resource is not None]
    reserved: dict[str, list[int]] = {}
    name = "ReservedConcurrentExecutions"
    for resource, properties in rendered_resources(root, "AWS::Lambda::Function", name, skipped=paths):
        if isinstance(value := properties.get(name), (int, float)):
            reserved.setdefault(environment_of(resource), []).append(int(value))
    return reserved
