"""What the construct tells the functions of a quota, in the environment variable BREAKWATER_QUOTA."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

from .counter import Counter
from .keyed_counter import KeyedCounter

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
    key
        Where the key of a message stands, which has a quota of its own; empty when there are no keys.
    key_tiers
        The tiers of each key.
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
    key: str = ""
    key_tiers: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_environment(cls) -> Settings:
        """Read them."""
        return cls(**json.loads(os.environ[VARIABLE]))

    @property
    def all_tiers(self) -> list[dict[str, Any]]:
        """What a deployment may change, while a dispatcher of the one before is awake."""
        return [*self.tiers, {"key": self.key, "tiers": self.key_tiers}] if self.key else self.tiers

    @property
    def key_parallelism(self) -> int:
        """Calls that a key may have in flight: slow ones leave half of the hands, and of the places, to others."""
        held = [tier["limit"] // 2 for tier in self.tiers if not tier.keys() & {"weight", "arrival"}]
        return max(1, min([-(-self.parallelism // 2), *held]))

    def counter(self, *, keyed: bool = False) -> Counter:
        """Make the state of a quota that was never used.

        Parameters
        ----------
        keyed
            It has keys, though these settings don't say so: a deployment has brought or taken them.
        """
        if not (keyed or self.key):
            return Counter(self.tiers, self.longest_call, first=self.first, ordered=self.ordered)
        return KeyedCounter(
            self.tiers,
            self.longest_call,
            first=self.first,
            ordered=self.ordered,
            source=self.key,
            key_tiers=self.key_tiers,
            most=self.key_parallelism,
        )
