"""Grants, as the constructs parsed them, and the form that both engines' statements start from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WORDS = re.compile(r"[A-Z]+( [A-Z]+)*")


class Grant(NamedTuple):
    """One privilege on one object.

    Attributes
    ----------
    privilege
        Such as SELECT; of a role's membership, the role's name.
    kind
        What the object is: TABLE, SCHEMA, ALL TABLES IN SCHEMA …; ROLE for a membership.
    name
        The object's name in its parts, not quoted; a last part "*" stands for everything in it.
    """

    privilege: str
    kind: str
    name: tuple[str, ...]


def grants(properties: dict[str, Any]) -> list[Grant]:
    """Read the grants of a custom resource's properties.

    Raises
    ------
    ValueError
        When a privilege or a kind is not made of words: these stand in statements without quotes.
    """
    found = [
        Grant(privilege, grant["On"], tuple(grant["Name"]))
        for grant in properties.get("Grants", ())
        for privilege in grant["Privileges"]
    ]
    for grant in found:
        words = [grant.kind] if grant.kind == "ROLE" else [grant.kind, grant.privilege]
        if not all(_WORDS.fullmatch(word) for word in words):
            raise ValueError(f"{grant.privilege!r} on {grant.kind!r} is no privilege.")
    return found


def settle(
    wanted: list[Grant], before: Sequence[Grant], give: Callable[[Grant], None], take: Callable[[Grant], None]
) -> None:
    """Go from the grants before to the wanted ones; what is among both is not missing for a moment, except beneath ALL.

    Parameters
    ----------
    wanted, before
        What is to be granted, and what was by the deployment before.
    give, take
        Grant and revoke one of them.
    """
    # What did not change is not granted again: somebody else's table may have come into its schema since.
    for grant in wanted:
        if grant not in before:
            give(grant)
    gone = [grant for grant in before if grant not in wanted]
    for grant in gone:
        take(grant)
    if gone:
        # ALL on an object includes what remains of it.
        for grant in wanted:
            give(grant)
