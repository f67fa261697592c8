"""The division of a budget among its shares, together with all budgets that have a function in common with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import jsii
from aws_cdk import AspectPriority, Aspects, IAspect

from ..errors import BreakwaterError
from ..limits.apportionment import OversubscribedError, apportion, apportion_together

if TYPE_CHECKING:
    from constructs import IConstruct

    from .budget import ConnectionBudget
    from .share import ConnectionShare


class BudgetDivision:
    """Who has how much of one budget, computed when it is asked for and kept until something changes.

    Parameters
    ----------
    budget
        The budget.
    """

    def __init__(self, budget: ConnectionBudget) -> None:
        self._budget = budget
        self._concurrency: dict[str, int] | None = None
        Aspects.of(budget).add(cast("IAspect", _ForgetDivisionAspect(self)), priority=AspectPriority.READONLY)

    def concurrency_of(self, share: ConnectionShare) -> int:
        """Compute one share's concurrency; 0 while the budget is invalid, and then its validation fails the synth."""
        if self._concurrency is None:
            try:
                self._divide()
            except (OversubscribedError, BreakwaterError):
                return 0
        return cast("dict[str, int]", self._concurrency)[share.name]

    def forget(self) -> None:
        """Compute it anew, here and wherever this budget has an influence."""
        for budget in self._connected():
            budget.division._concurrency = None

    def _divide(self) -> None:
        connected = self._connected()
        if len(connected) == 1:
            shares = [self._budget.shares]
            granted = [apportion(self._budget.shared_connections, [share.claim for share in self._budget.shares])]
        else:
            # By name: which of two equal shares gets the odd connection must not depend on who was made first, since a
            # function of another stack may have been.
            shares = [tuple(sorted(budget.shares, key=lambda share: share.name)) for budget in connected]
            granted = apportion_together(
                [
                    (budget.shared_connections, [share.claim for share in part])
                    for budget, part in zip(connected, shares, strict=True)
                ]
            )
        for budget, part, numbers in zip(connected, shares, granted, strict=True):
            budget.division._concurrency = {share.name: number for share, number in zip(part, numbers, strict=True)}

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
