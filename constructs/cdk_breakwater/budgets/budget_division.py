"""The division of a budget among its shares, together with all budgets that have a function in common with it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

import jsii
from aws_cdk import AspectPriority, Aspects, IAspect

from ..errors import BreakwaterError
from ..limits.apportionment import OversubscribedError, apportion, apportion_together
from .account_reservations import limit_to_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import IConstruct

    from .budget import ConnectionBudget
    from .share import ConnectionShare


class BudgetDivision:
    """Who has how much of one budget, computed when it is asked for and kept until something changes.

    Parameters
    ----------
    budget
        The budget.
    budgets
        Every budget of the app, since they share the account's concurrency.
    """

    def __init__(self, budget: ConnectionBudget, budgets: Sequence[ConnectionBudget]) -> None:
        self._budget = budget
        self._budgets = budgets
        self._granted: dict[str, int] | None = None
        self._lowered: dict[ConnectionShare, int] | None = None
        Aspects.of(budget).add(cast("IAspect", _ForgetDivisionAspect(self)), priority=AspectPriority.READONLY)

    def concurrency_of(self, share: ConnectionShare) -> int:
        """Compute one share's concurrency; 0 while the budget is invalid, and then its validation fails the synth."""
        granted = self.granted_to(share)
        reserving = next((each for each in share.joined if each.reserves is not None), None)
        if reserving is None or not granted:
            return granted
        return self._by_account().get(reserving, granted)

    def granted_to(self, share: ConnectionShare) -> int:
        """Compute what the databases grant a share, whatever the account can reserve."""
        if self._granted is None:
            try:
                self._divide()
            except (OversubscribedError, BreakwaterError):
                return 0
        return cast("dict[str, int]", self._granted)[share.name]

    def forget(self) -> None:
        """Compute it anew, here and wherever this budget has an influence."""
        for budget in self._connected():
            budget.division._granted = None
        for budget in self._budgets:
            budget.division._lowered = None

    def _divide(self) -> None:
        connected = self._connected()
        # By name: which of two equal shares gets the odd connection must not depend on who was made first.
        shares = [tuple(sorted(budget.shares, key=lambda share: share.name)) for budget in connected]
        if len(connected) == 1:
            granted = [apportion(self._budget.shared_connections, [share.claim for share in shares[0]])]
        else:
            granted = apportion_together(
                [
                    (budget.shared_connections, [share.claim for share in part])
                    for budget, part in zip(connected, shares, strict=True)
                ]
            )
        for budget, part, numbers in zip(connected, shares, granted, strict=True):
            budget.division._granted = {share.name: number for share, number in zip(part, numbers, strict=True)}

    def _by_account(self) -> dict[ConnectionShare, int]:
        if self._lowered is None:
            root = self._budget.node.root
            wanted = {
                share: budget.division.granted_to(share)
                for budget in self._budgets
                for share in budget.shares
                if share.reserves is not None
            }
            lowered: dict[ConnectionShare, int] = {}
            # A function that was given `share.concurrency` asks again while it is read.
            for budget in self._budgets:
                budget.division._lowered = lowered
            with suppress(BreakwaterError):  # a wrong context value, which the budgets' validation reports
                lowered = limit_to_account(root, wanted)
            for budget in self._budgets:
                budget.division._lowered = lowered
        return cast("dict[ConnectionShare, int]", self._lowered)

    def _connected(self) -> list[ConnectionBudget]:
        """Find the budgets that have a function in common with this one, however far; this one first."""
        found = [self._budget]
        for budget in found:
            joined = (other.budget for share in budget.shares for other in share.joined)
            found += [other for other in dict.fromkeys(joined) if other not in found]
        return found


@jsii.implements(IAspect)
class _ForgetDivisionAspect:
    """Forgets what was computed before the app's Aspects changed a class or a parameter group.

    The CDK reads lazy values once, before it validates, so that the budget's validation would come too late.
    """

    def __init__(self, division: BudgetDivision) -> None:
        self._division = division

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 -- each node of the budget
        self._division.forget()
