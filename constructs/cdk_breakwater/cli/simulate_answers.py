"""The questions that a simulation answers besides its own: how much more, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .simulate_size import Size


@dataclass(frozen=True)
class Answers:
    """What was asked.

    Attributes
    ----------
    largest
        How many times the load may come; None where that was not asked.
    sizes
        What each database must have; None where that was not asked.
    """

    largest: float | None
    sizes: list[Size] | None
