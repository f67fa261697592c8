"""What a template says about the functions that share a budget: the properties of the custom resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MappingRow:
    """A queue's mapping on a governed function, and its part of the function's share."""

    logical_id: str
    share: int


@dataclass(frozen=True)
class Row:
    """A governed function of the stack.

    Attributes
    ----------
    minimum
        The least reservation with which it can exist.
    identity
        What makes it another function if it changes, though its logical id stays.
    mappings
        Those of queues, by the attribute of the gate that answers each one's number.
    """

    logical_id: str
    share: int
    minimum: int
    uses: dict[str, int]
    identity: str
    function_name: str | None
    mappings: dict[str, MappingRow]


@dataclass(frozen=True)
class Table:
    """All that a template says.

    Attributes
    ----------
    rows
        By the attribute of the gate that answers the function's number.
    limits, titles
        Of the budgets: connections, and what they are called.
    here
        The budgets whose database is in the stack, so that its deployment changes the server's own limit.
    neighbours
        The functions of other stacks of the app that share a budget: what they use, by stack and logical id.
    """

    rows: dict[str, Row]
    limits: dict[str, int]
    titles: dict[str, str]
    here: frozenset[str]
    neighbours: dict[str, dict[str, dict[str, int]]]

    @staticmethod
    def of(properties: dict[str, Any]) -> Table:
        """Read the properties, in which CloudFormation has made every number a string."""
        rows = {
            key: Row(
                row["Id"],
                int(row["Share"]),
                int(row["Minimum"]),
                _numbers(row["Uses"]),
                row["Identity"],
                row.get("Name"),
                {
                    attribute: MappingRow(mapping["Id"], int(mapping["Share"]))
                    for attribute, mapping in row.get("Mappings", {}).items()
                },
            )
            for key, row in properties.get("Functions", {}).items()
        }
        budgets = properties.get("Budgets", {})
        neighbours = properties.get("Neighbours", {})
        return Table(
            rows,
            {id_: int(budget["Limit"]) for id_, budget in budgets.items()},
            {id_: budget["Title"] for id_, budget in budgets.items()},
            frozenset(id_ for id_, budget in budgets.items() if budget["Here"] == "1"),
            {stack: {id_: _numbers(uses) for id_, uses in here.items()} for stack, here in neighbours.items()},
        )


def _numbers(given: dict[str, str]) -> dict[str, int]:
    return {name: int(number) for name, number in given.items()}
