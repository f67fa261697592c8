"""What became of what a block has sent: the fact that decides whether `run()` may call its work again."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """Of one block; it only grows."""

    OPEN = 0
    """Nothing has been applied, and nothing can be any more once the session is gone."""
    APPLIED = 1
    """Something is applied: committed, or written where there are no transactions."""
    UNKNOWN = 2
    """The answer to something that may have been applied never came, whatever was applied before."""
