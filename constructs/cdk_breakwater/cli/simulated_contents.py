"""What the messages of a burst are like, by the options: how many of them fail, what they weigh, and their keys."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import BreakwaterError
from ..simulation.entries import Fifo, Queue, Stream
from ..simulation.quota import Quota
from .simulate_arguments import number, of_each, part, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..simulation.entries import Entry
    from ..simulation.load import Load

_MOST_KEYS = 1_000_000


@dataclass
class Contents:
    """The messages of one entry.

    Attributes
    ----------
    failing
        The part of them that fails each time.
    weight
        Of one, where a quota counts weights.
    keys
        How many message groups or partition keys there are; None where each message has one of its own.
    """

    failing: float = 0.0
    weight: float = 1.0
    keys: int | None = None

    def put_into(self, entry: Entry, load: Load) -> Entry:
        """Give the entry to which they come."""
        if isinstance(entry, Quota):
            return replace(entry, load=load, failing=self.failing, weight=self.weight)
        if isinstance(entry, Queue):
            return replace(entry, load=load, failing=self.failing, keys=self.keys)
        return replace(entry, load=load)


def read_contents(
    entries: Sequence[Entry], failing: Iterable[str], weights: Iterable[str], keys: Iterable[str]
) -> defaultdict[str, Contents]:
    """Read the options, for each entry by its name.

    Parameters
    ----------
    entries
        Of the app.
    failing, weights, keys
        As they were given.
    """
    found: defaultdict[str, Contents] = defaultdict(Contents)
    of_messages = [entry.name for entry in entries if isinstance(entry, Queue | Quota)]
    for name, value in of_each("--failing", failing, of_messages):
        found[name].failing = part("--failing", value)
    keyed = [entry.name for entry in entries if isinstance(entry, Fifo | Stream)]
    for name, value in of_each("--keys", keys, keyed):
        found[name].keys = whole("--keys", value, most=_MOST_KEYS)
    heaviest = {
        entry.name: min(tier.limit for tier in entry.tiers if tier.is_weighed)
        for entry in entries
        if isinstance(entry, Quota) and any(tier.is_weighed for tier in entry.tiers)
    }
    for name, value in of_each("--weight", weights, heaviest):
        found[name].weight = weight = number("--weight", value, least=1)
        if weight > heaviest[name]:
            problem = f"a message of {weight:g} is never called: a tier of {name} grants {heaviest[name]:g} in all."
            raise BreakwaterError("--weight", problem, "Write what a message weighs on average.")
    return found
