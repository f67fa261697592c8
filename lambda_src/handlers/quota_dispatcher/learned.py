"""What the provider counts, as its responses say: it lowers the use of a quota and never raises it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .counters import part
from .weights import WeightError, whole

if TYPE_CHECKING:
    from .grants import Slot

LIMITS = "rateLimits"
"""In what a function returns: what the provider has said of its limits."""
ROUNDED = 1_000
"""Milliseconds. Providers round a reset to whole seconds."""


class Told(NamedTuple):
    """One limit of the provider, as a response named it."""

    remaining: int
    reset: int
    """Milliseconds from the response until all of it remains."""
    limit: int | None = None
    window: int | None = None
    """Its period (ms)."""
    weighted: bool = False
    """It counts weight."""
    uneven: int = 0
    """A counter's calls explain so many more of what the provider has counted: others may be so far ahead of it."""

    @property
    def name(self) -> str:
        """Which one it is."""
        return f"{'weight' if self.weighted else 'calls'}:{self.window or 0}"

    def divided(self, number: int, counters: int, uneven: int) -> Told:
        """Return what it is for one of several counters."""
        limit = None if self.limit is None else part(self.limit, number, counters)
        return self._replace(remaining=part(self.remaining, number, counters), limit=limit, uneven=uneven)


@dataclass
class Allowance:
    """So much may still be started before an instant of the quota's clock."""

    left: int
    until: int
    since: int
    """When that was said, at the latest."""


class Learned:
    """What was said, and still holds.

    Attributes
    ----------
    allowances
        By `Told.name`.
    limits
        By the key of a tier that counts calls: the limit that the provider has named for its period, and until when
        that is believed.
    heard_until
        The provider says something in its responses; that is believed until then.
    """

    def __init__(self) -> None:
        self.allowances: dict[str, Allowance] = {}
        self.limits: dict[str, list[int]] = {}
        self.heard_until = 0

    def forget(self, clock: int) -> None:
        """Drop what has been reset."""
        self.allowances = {name: found for name, found in self.allowances.items() if found.until > clock}
        self.limits = {key: found for key, found in self.limits.items() if found[1] > clock}
        self.heard_until = self.heard_until if self.heard_until > clock else 0

    @property
    def holds_until(self) -> int:
        """Nothing that was said is of any use from then on."""
        ends = [found.until for found in self.allowances.values()]
        return max(self.heard_until, *ends, *(found[1] for found in self.limits.values()), 0)

    def start(self, start: int, slot: Slot) -> int:
        """Move the start of a slot on until nothing that was said forbids it."""
        for name, allowance in self.allowances.items():
            if start < allowance.until and allowance.left < _cost(name, slot):
                start = allowance.until
        return start

    def take(self, slot: Slot) -> None:
        """Take note of a slot."""
        self._count(slot, -1)

    def give_back(self, slot: Slot) -> None:
        """Take note that the call of a slot was never started."""
        self._count(slot, 1)

    def lift(self, told: Told, start: int) -> None:
        """Take in that the provider counts no more than the quota itself, as it said to a call with this start."""
        before = self.allowances.get(told.name)
        if before and start >= before.since:
            del self.allowances[told.name]

    def hear(self, told: Told, start: int, at: int, *, until: int, in_flight: int) -> None:
        """Take in what the response to a call has said.

        Of all that have answered, the one of which the provider counted last has heard how little remains. What that
        does not contain yet is in flight.

        Parameters
        ----------
        start, at
            Of the call and of its end, by the quota's clock: it was said between them.
        until
            All is reset by then.
        in_flight
            What the provider may not have counted yet.
        """
        left = told.remaining - in_flight
        before = self.allowances.get(told.name)
        if before and start + told.reset <= before.until:  # perhaps of the same window
            left, until, at = min(left, before.left), max(until, before.until), max(at, before.since)
        self.allowances[told.name] = Allowance(left, until, at)

    def dump(self) -> dict[str, Any]:
        """Write it as JSON knows it; empty when nothing was said."""
        left = {name: [found.left, found.until, found.since] for name, found in self.allowances.items()}
        state = {"left": left, "limits": self.limits, "heard_until": self.heard_until}
        return {name: value for name, value in state.items() if value}

    def load(self, state: dict[str, Any]) -> None:
        """Read what `dump` wrote."""
        self.allowances = {name: Allowance(*found) for name, found in state.get("left", {}).items()}
        self.limits = state.get("limits", {})
        self.heard_until = state.get("heard_until", 0)

    def _count(self, slot: Slot, sign: int) -> None:
        for name, allowance in self.allowances.items():
            if slot.start < allowance.until:
                allowance.left += sign * _cost(name, slot)


def read_limits(answer: Any) -> tuple[list[Told], str]:
    """Return what a function says, in what it returns, of the provider's limits; and why a part makes no sense."""
    given = answer.get(LIMITS, []) if isinstance(answer, dict) else []
    found, problems = list[Told](), list[str]()
    for entry in given if isinstance(given, list) else [given]:
        told = _told(entry)
        found += [told] if isinstance(told, Told) else []
        problems += [told] if isinstance(told, str) else []
    return found, "; ".join(problems)


def _told(entry: Any) -> Told | str:
    """Return a limit, or why it makes no sense."""
    if not isinstance(entry, dict) or entry.get("remaining") is None:
        return f"{LIMITS} holds {repr(entry)[:60]}, which does not say what remains"
    try:
        remaining, reset, limit, window = (
            None if entry.get(name) is None else whole(entry[name], f"{name} in {LIMITS}", least=0, scale=scale)
            for name, scale in (("remaining", 1), ("reset", 1_000), ("limit", 1), ("window", 1_000))
        )
    except WeightError as error:
        return str(error)
    # With no call at all it would never hear of another limit.
    limit = None if limit is None else max(1, limit)
    return Told(remaining or 0, reset or 0, limit, window, entry.get("unit") == "weight")


def _cost(name: str, slot: Slot) -> int:
    return slot.weight if name.startswith("weight") else 1
