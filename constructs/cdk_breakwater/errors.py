"""The one exception of the constructs: which construct, what is wrong, what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constructs import IConstruct


class BreakwaterError(ValueError):
    """Raised for a value that would lead to a wrong template.

    Parameters
    ----------
    where
        The construct, whose path is printed, or a name if there is no construct yet.
    problem
        What is wrong, with the value given.
    remedy
        What would be right.
    """

    def __init__(self, where: IConstruct | str, problem: str, remedy: str) -> None:
        path = where if isinstance(where, str) else where.node.path
        super().__init__(f"{path}: {problem} {remedy}".rstrip())
        self.path = path
        self.problem = problem
        self.remedy = remedy
