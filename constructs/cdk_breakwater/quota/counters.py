"""How many counters a quota has side by side, each with a dispatcher of its own."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.sqs import MAXIMUM_CONCURRENCY
from .reachable_rate import calls_per_second

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import IConstruct

    from .tier import QuotaTier

MOST_HANDS = 100
"""Calls in flight in one dispatcher: its threads."""
CALLS_PER_SECOND = 250
"""Of one counter: three quarters of what its dispatcher makes at most (`limits/dispatcher_rate.py`)."""
_MOST = MAXIMUM_CONCURRENCY - 1
"""Dispatchers at once, and a ring that comes meanwhile."""
_CALLS_OF_A_COUNTER = 10
"""A counter grants so many calls of each tier, and has so many in flight, or there are fewer counters."""


@dataclass(frozen=True)
class Division:
    """The counters of a quota.

    Attributes
    ----------
    counters
        How many.
    parallelism
        Calls in flight, of all together.
    given
        Whether the user has said how many. Else there are no more than the function has environments.
    """

    counters: int
    parallelism: int
    given: bool

    def within(self, environments: int | None) -> int:
        """Return the calls in flight where so many environments are reserved for the function."""
        return min(self.parallelism, environments) if environments and not self.given else self.parallelism

    def most_counters(self, environments: int) -> int:
        """Return how many counters have enough of so many environments."""
        return max(1, environments // _CALLS_OF_A_COUNTER)


def divide(
    where: IConstruct,
    tiers: Sequence[QuotaTier],
    parallelism: int | None,
    *,
    whole: bool,
    environments: int | None,
) -> Division:
    """Choose as many counters as the rate and the calls in flight need.

    Parameters
    ----------
    where, tiers, parallelism
        The quota, and what it was given.
    whole
        It can't be divided: the order of its messages, their keys or their weights stand against it.
    environments
        Those that are reserved for the function, if that is known.

    Raises
    ------
    BreakwaterError
        For a parallelism out of range.
    """
    most = MOST_HANDS * (1 if whole else _MOST)
    if parallelism is not None and required_number(where, "parallelism", parallelism) > most:
        advice = f"It is a whole number from 1 to {most:,}."
        if whole:
            advice += " In order, with keys or with weights there is one dispatcher at a time."
        raise BreakwaterError(where, f"parallelism={parallelism} is out of range.", advice)
    wanted = max(ceil(calls_per_second(tiers) / CALLS_PER_SECOND), ceil((parallelism or 0) / MOST_HANDS))
    divided = [*(tier.limit for tier in tiers), parallelism, environments]
    smallest = min(number for number in divided if number is not None)
    counters = 1 if whole else max(1, min(wanted, _MOST, int(smallest) // _CALLS_OF_A_COUNTER))
    if parallelism is None:
        slowest = min(tier.per_second for tier in tiers)
        return Division(counters, min(MOST_HANDS * counters, max(10, ceil(2 * slowest))), given=False)
    return Division(counters, int(parallelism), given=True)
