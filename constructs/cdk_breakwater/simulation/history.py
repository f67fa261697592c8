"""What happened: counts and levels over time, of every entry, function and server."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


_DUST = 1e-9


class Counts:
    """How often something happened in each step."""

    def __init__(self, step: float) -> None:
        self._step = step
        self.values = array("d")
        self.first: float | None = None

    def add(self, now: float, amount: float = 1.0) -> None:
        """Count something."""
        if amount < _DUST:
            return
        number = int(now / self._step)
        if number >= len(self.values):
            self.values.extend([0.0] * (number + 1 - len(self.values)))
        self.values[number] += amount
        # A model in steps counts parts of a request; what is less than half of one has not happened.
        if self.first is None and amount >= 0.5:
            self.first = now

    @property
    def total(self) -> float:
        """How often in all."""
        return sum(self.values)


class Levels:
    """How high something stood, at most, in each step.

    Attributes
    ----------
    area
        Its integral over time, up to the last change.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._last = self._at = self.area = 0.0
        self.values = array("d")

    def set(self, now: float, value: float) -> None:
        """Note that it stands somewhere else now."""
        number = int(now / self._step)
        if number >= len(self.values):
            self.values.extend([self._last] * (number + 1 - len(self.values)))
        self.values[number] = max(self.values[number], value)
        self.area += self._last * (now - self._at)
        self._last, self._at = value, now

    def first_above(self, value: float) -> float | None:
        """Give when it first stood higher than that; None: it never did."""
        return next((number * self._step for number, each in enumerate(self.values) if each > value), None)

    def at(self, now: float) -> float:
        """Give how high it stood in the step of a time."""
        number = int(now / self._step)
        return self.values[number] if number < len(self.values) else self._last

    @property
    def peak(self) -> float:
        """The highest."""
        return max(self.values, default=0.0)

    @property
    def mean(self) -> float:
        """The mean over time, up to the last change."""
        return self.area / self._at if self._at else 0.0

    @property
    def last(self) -> float:
        """Where it stands."""
        return self._last


class TierHistory:
    """Of a tier of a quota, or of another limit of its dispatcher.

    Attributes
    ----------
    used
        What it holds, of its limit.
    held_back
        When messages first waited for it.
    """

    def __init__(self, step: float) -> None:
        self.used = Levels(step)
        self.held_back: float | None = None


class EntryHistory:
    """Of an entry.

    Attributes
    ----------
    arrivals, done
        Requests that came, and that were answered or deleted.
    limited
        Requests that a token bucket refused, and calls that a provider did: 429.
    throttled
        Requests and batches that found no room in the function: of an API and of a caller who waits, refused.
    failed
        Requests whose invocation failed, each time.
    lost
        Messages in the dead-letter queue, and events that were given up.
    depth, age
        What waits, and for how many seconds the next one has.
    held_back, ramped, grouped
        When messages first waited because the mapping had its most batches in work, because its pollers were still
        coming up, and because others of their message group were in work.
    grouped_most, blocked
        How many waited then, at most; and how many wait for one of their group that failed.
    lanes
        Of a stream: how many records came to each of its lanes.
    waited
        Seconds that messages waited for their work, together: of the exact model alone.
    called
        Calls that a quota began.
    tiers
        Of a quota, by name.
    """

    def __init__(self, step: float) -> None:
        self.called = Counts(step)
        self.tiers: defaultdict[str, TierHistory] = defaultdict(lambda: TierHistory(step))
        self.arrivals, self.done, self.limited = Counts(step), Counts(step), Counts(step)
        self.throttled, self.failed, self.lost = Counts(step), Counts(step), Counts(step)
        self.depth, self.age, self.blocked = Levels(step), Levels(step), Levels(step)
        self.held_back: float | None = None
        self.ramped: float | None = None
        self.grouped: float | None = None
        self.grouped_most = 0.0
        self.lanes: list[float] = []
        self.waited = 0.0

    def hold_back(self, now: float, *, at_maximum: bool) -> None:
        """Note that a mapping takes no more."""
        if at_maximum and self.held_back is None:
            self.held_back = now
        elif not at_maximum and self.ramped is None:
            self.ramped = now

    def hold_groups(self, now: float, waiting: float) -> None:
        """Note that messages wait for others of their message group alone."""
        if self.grouped is None:
            self.grouped = now
        self.grouped_most = max(self.grouped_most, waiting)


class FunctionHistory:
    """Of a function.

    Attributes
    ----------
    concurrency, environments
        Those at work, and all of the present code.
    slowed
        Starts that the scaling rate put off or refused.
    timeouts
        Invocations that reached the function's timeout.
    """

    def __init__(self, step: float) -> None:
        self.concurrency, self.environments = Levels(step), Levels(step)
        self.slowed, self.timeouts = Counts(step), Counts(step)


class ServerHistory:
    """Of a server.

    Attributes
    ----------
    connections
        Those that functions hold.
    refused
        Attempts to connect while there was none left.
    unavailable
        Attempts to connect while it failed over.
    waiting, waited, first_waited
        Of a proxy: invocations that wait for a connection, for how many seconds together, and from when on.
    """

    def __init__(self, step: float) -> None:
        self.connections = Levels(step)
        self.refused, self.unavailable = Counts(step), Counts(step)
        self.waiting = Levels(step)
        self.waited = 0.0
        self.first_waited: float | None = None


@dataclass
class History:
    """What happened.

    Attributes
    ----------
    model
        ``events`` or ``binned``.
    step
        Seconds of a step of the counts and levels.
    seconds
        When it ended.
    drained
        When the last request was done, lost or refused; None where work was left.
    left
        How much was.
    """

    model: str
    step: float
    entries: dict[str, EntryHistory]
    functions: dict[str, FunctionHistory]
    servers: dict[str, ServerHistory]
    seconds: float = 0.0
    drained: float | None = None
    left: float = 0.0
    concurrency: Levels = field(init=False)

    def __post_init__(self) -> None:
        """Begin the concurrency of all functions together."""
        self.concurrency = Levels(self.step)

    @classmethod
    def empty(
        cls, model: str, step: float, entries: Iterable[str], functions: Iterable[str], servers: Iterable[str]
    ) -> History:
        """Begin one."""
        return cls(
            model,
            step,
            {name: EntryHistory(step) for name in entries},
            {name: FunctionHistory(step) for name in functions},
            {name: ServerHistory(step) for name in servers},
        )
