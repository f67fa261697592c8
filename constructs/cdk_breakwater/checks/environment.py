"""What a function is told at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import Block

if TYPE_CHECKING:
    from .answers import Answer
    from .resource import Resource


def environment(function: Resource) -> list[tuple[str, Answer]]:
    """Give the variables of a function."""
    variables = function.block("Environment", "Variables")
    if not isinstance(variables, Block):
        return []
    return [(str(name), variables.get(name)) for name in variables.names()]
