"""Whether two descriptions are of one server: then it has one budget, and one number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Token

from .._cdk.deployed_value import deployed_value
from ..downstreams.endpoint import EndpointDownstream
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..downstreams.downstream import Downstream
    from .budget import ConnectionBudget


def existing_budget(downstream: Downstream, budgets: Sequence[ConnectionBudget]) -> ConnectionBudget | None:
    """Find the budget of a downstream: beneath its construct, or that of the same server described elsewhere.

    A database that two stacks import is one database: the same host and port, in the same app. Hosts that are known at
    deployment only are the same where they come from one export, parameter or secret.
    """
    found = downstream.construct.node.try_find_child(downstream.budget_id)
    own = next((budget for budget in budgets if budget is found), None)
    if own is not None:
        return own
    described = [
        (budget, other)
        for budget in budgets
        if (other := budget.downstream) is not None and other.port == downstream.port
    ]
    same = next((budget for budget, other in described if _host(other) == _host(downstream)), None)
    source = deployed_value(downstream.host, downstream.construct)
    if same is not None or source is None:
        return same
    return next((budget for budget, other in described if deployed_value(other.host, other.construct) == source), None)


def require_one_number(budget: ConnectionBudget, downstream: Downstream) -> None:
    """Refuse a second number for a server that has one.

    Raises
    ------
    BreakwaterError
        When an endpoint is described with another `max_connections` than the budget has.
    """
    if not isinstance(downstream, EndpointDownstream) or budget.downstream is downstream:
        return
    given, has = downstream.max_connections().value, budget.found().value
    if given != has:
        raise BreakwaterError(
            downstream.construct,
            f"max_connections={given} is given, and {budget.title}, which is the same server ({downstream.host}), has "
            f"{has} ({budget.basis}).",
            "A server has one budget: give the same number, or describe it once.",
        )


def _host(downstream: Downstream) -> str:
    # Names are the same in any case, and with or without the root's dot. Source: RFC 4343; RFC 1034, section 3.1.
    host = downstream.host
    return host if Token.is_unresolved(host) else host.rstrip(".").lower()
