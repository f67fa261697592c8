"""What the construct tells the functions of a quota, in the environment variable BREAKWATER_QUOTA."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from .counter import Counter

VARIABLE = "BREAKWATER_QUOTA"


@dataclass(frozen=True)
class Settings:
    """One quota.

    Attributes
    ----------
    name
        The dimension of its metrics.
    table
        The table of its state.
    function
        The ARN of the function to call.
    lanes
        From the ARN of each queue that the intake empties to the lanes of the shelf that it feeds.
    first
        The lanes that go before all others, in this order.
    former
        URLs of the queues in which the release before kept its backlog. In order: nothing is called before they are
        empty.
    dead_letters, doorbell
        URLs of queues.
    longest_call
        Milliseconds from the start of a call's slot within which it has ended for certain.
    tiers
        limit, period (ms), for calendar tiers zone (its POSIX rule), zone_name and transitions, and arrival (ms).
    """

    name: str
    table: str
    function: str
    lanes: dict[str, list[int]]
    first: list[int]
    former: list[str]
    dead_letters: str
    doorbell: str
    ordered: bool
    parallelism: int
    longest_call: int
    max_attempts: int
    tiers: list[dict[str, Any]]

    @classmethod
    def from_environment(cls) -> Settings:
        """Read them."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def counter(self) -> Counter:
        """Make the state of a quota that was never used."""
        return Counter(self.tiers, self.longest_call, first=self.first, ordered=self.ordered)
