"""What the construct tells the functions of a quota, in the environment variable BREAKWATER_QUOTA."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from typing import Any

from .counter import Counter
from .counters import LANES, part, parts
from .keyed_counter import KeyedCounter

VARIABLE = "BREAKWATER_QUOTA"
MOST_HANDS = 100
"""Calls in flight in one dispatcher: its threads."""
SMALLEST_BATCH = 10
"""Of several counters none gets fewer messages at once, if there are more: each page is a write or two."""


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
    parallelism
        Calls in flight, of all counters together.
    counters
        How many counters a quota begins with that was never used.
    number, undivided
        Of the settings of one counter, where there are several: which, and the tiers of all together. `tiers`, `lanes`,
        `first` and `parallelism` are then its own.
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
    counters: int = 1
    number: int = 0
    undivided: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_environment(cls) -> Settings:
        """Read them."""
        return cls(**json.loads(os.environ[VARIABLE]))

    @property
    def all_tiers(self) -> list[dict[str, Any]]:
        """What a deployment may change, while a dispatcher of the one before is awake."""
        tiers = self.undivided or self.tiers
        return [*tiers, {"key": self.key, "tiers": self.key_tiers}] if self.key else tiers

    @property
    def hands(self) -> int:
        """Calls that one dispatcher has in flight at most."""
        return min(MOST_HANDS, self.parallelism)

    @property
    def grants(self) -> bool:
        """Whether this counter has a part of every limit. Without, its backlog moves to others."""
        return all(tier["limit"] for tier in self.tiers)

    @property
    def batch(self) -> int | None:
        """Messages that one of several counters gets at once, about two seconds' worth; None: all that come."""
        if not self.undivided:
            return None
        return max(SMALLEST_BATCH, int(2_000 * min(tier["limit"] / tier["period"] for tier in self.tiers)))

    def divided(self, counters: int, number: int) -> Settings:
        """Return the settings of one of so many counters.

        Raises
        ------
        ValueError
            Where there are several, and what counts has been changed to what can't be divided.
        """
        if counters > 1 and (self.ordered or self.key or any(tier.get("weight") for tier in self.tiers)):
            raise ValueError(
                f"{self.name} began with {counters} counters: order, keys and weights need one. Give the "
                "QuotaThrottledInvocation with these another id."
            )
        hands = min(MOST_HANDS, max(1, part(self.parallelism, number, counters)))
        if counters == 1:
            return replace(self, parallelism=hands, counters=1)
        first = number * LANES
        return replace(
            self,
            lanes={queue: [first + lane for lane in lanes] for queue, lanes in self.lanes.items()},
            first=[first + lane for lane in self.first],
            parallelism=hands,
            tiers=parts(self.tiers, number, counters),
            counters=counters,
            number=number,
            undivided=self.tiers,
        )

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
