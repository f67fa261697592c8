"""Who is governed, and by how much: what Lambda reserves and its tags say, before every table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .account import Account, Governed
    from .table import Table


@dataclass(frozen=True)
class Registry:
    """The functions that share budgets with those of one stack.

    Attributes
    ----------
    mine
        Those of the stack, by logical id.
    others
        Those of other stacks, by name.
    limits
        Connections of each budget: the smallest that anybody knows.
    """

    mine: dict[str, Governed]
    others: dict[str, Governed]
    limits: dict[str, int]

    @property
    def uses(self) -> dict[str, dict[str, int]]:
        """What each opens, by name."""
        return {function.name: function.uses for function in (*self.mine.values(), *self.others.values())}


def read(account: Account, stack: str, *tables: Table, tags_alone: bool = False) -> Registry:
    """Find every function that shares a budget with a stack's.

    Its own and those of the app's other stacks are found by their stacks, since tags may be seen late; functions that
    no table knows any more, by their tags.

    Parameters
    ----------
    account, stack
        Where to look, and the stack that is deployed.
    tables
        What templates say: the tables of the new and the old one.
    tags_alone
        Whether the tags tell how large a budget is, and a table only where none does: the table is another version's.
    """
    limits: dict[str, int] = {}
    known: dict[str, dict[str, int]] = {}
    for table in tables:
        for id_, limit in table.limits.items():
            limits[id_] = min(limit, limits.get(id_, limit))
        for row in table.rows.values():
            known[row.logical_id] = _most(known.get(row.logical_id, {}), row.uses)
    own_names, tagged = account.functions_of(stack), account.tagged()
    mine: dict[str, Governed] = {}
    for id_, name in own_names.items():
        if id_ in known or name in tagged:
            _add(mine, id_, account.function(name), known.get(id_, {}), stack)
    budgets = _connected({*limits, *(id_ for function in mine.values() for id_ in function.uses)}, tagged)
    others: dict[str, Governed] = {}
    for neighbour, functions in _neighbours(tables).items():
        for id_, name in account.functions_of(neighbour).items():
            if id_ in functions or budgets & tagged.get(name, set()):
                _add(others, name, account.function(name), functions.get(id_, {}), neighbour)
    for name in sorted(tagged):
        if name not in own_names.values() and name not in others and budgets & tagged[name]:
            _add(others, name, account.function(name), {}, None)
    told: dict[str, int] = {}
    for function in (*mine.values(), *others.values()):
        for id_, limit in function.limits.items():
            told[id_] = min(limit, told.get(id_, limit))
    limits |= {id_: limit if tags_alone else min(limit, limits.get(id_, limit)) for id_, limit in told.items()}
    return Registry(_of_known(mine, limits), _of_known(others, limits), limits)


def _connected(budgets: set[str], tagged: Mapping[str, set[str]]) -> set[str]:
    """Add the budgets that have a function in common with these, however far."""
    while more := {id_ for part in tagged.values() if part & budgets for id_ in part} - budgets:
        budgets = budgets | more
    return budgets


def _neighbours(tables: tuple[Table, ...]) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = {}
    for table in reversed(tables):
        for stack, functions in table.neighbours.items():
            found.setdefault(stack, {}).update(functions)
    return found


def _add(
    found: dict[str, Governed], key: str, function: Governed | None, uses: Mapping[str, int], stack: str | None
) -> None:
    if function is not None:  # deleted by hand
        found[key] = replace(function, uses=_most(uses, function.uses), stack=stack or function.stack)


def _most(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Give the larger number of each budget: while a function is changed, it may open what it did or what it will."""
    return {id_: max(one.get(id_, 0), other.get(id_, 0)) for id_ in {**one, **other}}


def _of_known(functions: dict[str, Governed], limits: Mapping[str, int]) -> dict[str, Governed]:
    return {
        key: replace(function, uses={id_: each for id_, each in function.uses.items() if id_ in limits})
        for key, function in functions.items()
    }
