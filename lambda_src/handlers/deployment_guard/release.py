"""When all that leaves is gone: let everybody rise to the share, as far as there is room.

CloudFormation deletes the release of the old table at the very end of a deployment, and that of the new table at the
end of a rollback: in both cases when nothing can go back any more.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from . import mappings, registry
from .account import Refused
from .reservations import raise_
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Container

    from .account import Account, Governed
    from .registry import Registry


def let_rise(stack: str, table: Table, account: Account) -> None:
    """Raise the functions that share a budget with a stack's: to what their tags say, not to what the table says.

    Parameters
    ----------
    stack
        The stack whose deployment ends.
    table
        Of the release that is deleted: of the deployment before, or of the one that failed.
    account
        Where they are.
    """
    found = registry.read(account, stack, table, tags_alone=True)
    # Nobody but a gate lowers what leaves to 0; what stays was stopped by hand.
    known = {row.logical_id for row in table.rows.values()}
    _raise(found, account, {function.name for id_, function in found.mine.items() if id_ not in known})


def raise_by_hand(stack: str, account: Account) -> list[str]:
    """Do the same when somebody asks for it, and name who is still below the share.

    Raises
    ------
    Refused
        When a stack is being deployed that has a part in it.
    """
    found = registry.read(account, stack, Table.of({}), tags_alone=True)
    functions = (*found.mine.values(), *found.others.values())
    for name in sorted({function.stack for function in functions if function.stack}):
        described = account.stack(name)
        if described is not None and described["StackStatus"].endswith("_IN_PROGRESS"):
            raise Refused(f"Stack {name} is being deployed ({described['StackStatus']}). Its end raises what may rise.")
    now = _raise(found, account, ())
    return [
        f"{function.name} has {now[function.name]} of {function.share}"
        + (": it was set to 0, and stays so." if function.held == 0 else ": others hold the rest.")
        for function in functions
        if function.share is not None and now[function.name] < function.share
    ]


def restore(stack: str, table: Table, account: Account, lowered_to_nothing: Container[str]) -> None:
    """Do the same in a rollback whose release was not made yet, so that nothing else will.

    Parameters
    ----------
    stack, table, account
        The stack, what it goes back to, and where it is.
    lowered_to_nothing
        Names of functions that the failed deployment was to delete: a 0 is not by hand.
    """
    _raise(registry.read(account, stack, table, tags_alone=True), account, lowered_to_nothing)


def _raise(found: Registry, account: Account, lowered_to_nothing: Container[str]) -> dict[str, int]:
    """Raise those of the stack first, then the others, and then their mappings; give what everybody has."""
    mine = {function.name: function for function in found.mine.values()}
    now = {name: function.due for name, function in {**mine, **found.others}.items()}
    groups = [
        {name: function for name, function in group.items() if _may_rise(function, name in lowered_to_nothing)}
        for group in (mine, found.others)
    ]
    for rising in groups:
        targets = {name: function.share or 0 for name, function in rising.items()}
        now |= raise_(found.limits, found.uses, now, targets)
        for name, function in rising.items():
            if now[name] > (function.held or 0):
                account.reserve(name, now[name])
                logging.getLogger(__name__).info("%s raised to %s of %s", name, now[name], function.share)
    for rising in groups:
        for name in rising:
            mappings.let_rise(account, name, now[name])
    return now


def _may_rise(function: Governed, lowered_to_nothing: bool) -> bool:
    if function.held is None or function.share is None or any(id_ not in function.limits for id_ in function.uses):
        return False
    if function.held == 0 and not lowered_to_nothing:
        logging.getLogger(__name__).warning("%s is reserved 0 by hand, and stays so", function.name)
        return False
    return True
