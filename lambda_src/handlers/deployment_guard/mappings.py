"""The mappings of queues follow their functions: down before them, up after them.

A mapping takes no notice of what its function reserves: what it receives beyond that is throttled, goes back to the
queue, and has spent a receive (AWS Lambda Developer Guide, "Configuring scaling behavior for SQS").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .account import Account
    from .table import Row

# Source: AWS Lambda API Reference, ScalingConfig.
MINIMUM = 2


def divide(number: int, wanted: Mapping[str, int]) -> dict[str, int]:
    """Give each mapping what it is to have, or about the same part of it where that is more than the function has."""
    if sum(wanted.values()) <= number:
        return dict(wanted)
    more = max(0, number - MINIMUM * len(wanted))
    above = sum(maximum - MINIMUM for maximum in wanted.values()) or 1
    return {key: MINIMUM + (maximum - MINIMUM) * more // above for key, maximum in wanted.items()}


def answers(row: Row, number: int) -> dict[str, int]:
    """Give the number of each mapping of a function, by its attribute."""
    return divide(number, {key: mapping.share for key, mapping in row.mappings.items()})


def lower(account: Account, name: str, row: Row | None, number: int, ids: Mapping[str, str]) -> dict[str, int]:
    """Let the mappings of a function fall before it does, and give what CloudFormation may set, by attribute.

    None rises, and one that is new takes what the others leave: those that are deleted with this deployment read from
    their queues until its end.

    Parameters
    ----------
    account, name, row
        Where it is, its name, and what the template says of it: None where it leaves.
    number
        What it is to reserve.
    ids
        The mappings that the stack has, by logical id.
    """
    found = {mapping.id: mapping for mapping in account.mappings(name)}
    wanted = {id_: mapping.maximum for id_, mapping in found.items()}
    key_of: dict[str, str] = {}
    for key, maximum in (answers(row, number) if row else {}).items():
        id_ = ids.get(row.mappings[key].logical_id, key) if row else key
        key_of[id_] = key
        wanted[id_] = min(maximum, wanted.get(id_, maximum))
    granted = divide(number, wanted)
    for id_, mapping in found.items():
        if granted[id_] < mapping.maximum:
            account.receive(mapping, granted[id_])
    return {key: granted[id_] for id_, key in key_of.items()}


def let_rise(account: Account, name: str, number: int) -> None:
    """Let the mappings of a function rise to what it has now."""
    found = account.mappings(name)
    granted = divide(number, {mapping.id: mapping.share for mapping in found})
    for mapping in found:
        if mapping.maximum < granted[mapping.id]:
            account.receive(mapping, granted[mapping.id])
