"""When all that leaves is gone: let everybody rise to the share, as far as there is room.

CloudFormation deletes the release of the old table at the very end of a deployment, and that of the new table at the
end of a rollback: in both cases when nothing can go back any more.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from . import mappings, registry
from .reservations import raise_

if TYPE_CHECKING:
    from .account import Account, Governed
    from .table import Table


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
    known = {row.logical_id for row in table.rows.values()}
    mine = {function.name: function for function in found.mine.values()}
    now = {name: function.due for name, function in {**mine, **found.others}.items()}
    own = {function.name: function for id_, function in found.mine.items() if _may_rise(function, id_ in known)}
    others = {name: function for name, function in found.others.items() if _may_rise(function, True)}
    for rising in (own, others):
        targets = {name: function.share or 0 for name, function in rising.items()}
        now |= raise_(found.limits, found.uses, now, targets)
        for name, function in rising.items():
            if now[name] > (function.held or 0):
                account.reserve(name, now[name])
                logging.getLogger(__name__).info("%s raised to %s of %s", name, now[name], function.share)
    for name in (*own, *others):
        mappings.let_rise(account, name, now[name])


def _may_rise(function: Governed, known: bool) -> bool:
    if function.held is None or function.share is None or any(id_ not in function.limits for id_ in function.uses):
        return False
    if function.held == 0 and known:
        # Nobody but a gate lowers what leaves to 0; what stays was stopped by hand.
        logging.getLogger(__name__).warning("%s is reserved 0 by hand, and stays so", function.name)
        return False
    return True
