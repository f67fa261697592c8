"""What a model of an event source mapping hands to a function, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Outcome:
    """How one invocation ended.

    Attributes
    ----------
    seconds
        How long it took.
    failed
        The records that it reported as failed.
    begun
        The records whose work was begun.
    error
        Whether it ended by an exception or by the function's timeout: nothing of it counts as done.
    """

    seconds: float
    failed: Sequence[int] = ()
    begun: Sequence[int] = field(default=())
    error: bool = False


Invoke: TypeAlias = Callable[[Sequence[int]], Outcome]
"""Calls the function with the numbers of the records of one batch."""
