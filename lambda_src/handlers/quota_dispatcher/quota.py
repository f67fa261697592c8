"""How many calls may start, and when, so that no window of any tier ever holds more than its limit.

Nothing of AWS is in here. The whole state of a quota is one `Quota`; whoever wants to call loads it, advances its
clock, reports what ended, takes slots and stores it again, on the condition that nobody else has stored it in between.
That one conditional write covers all tiers and a whole block of calls.

The quota has a clock of its own, kept in its state: it never runs faster than real time, whoever advances it. One taker
measures between two writes of its own with its own clock. When another takes over, the time since the last write is
known only up to the skew between the two clocks, so that much of it is not counted. Clocks that disagree cost a moment
of waiting at a takeover, and nothing else. All times are whole milliseconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .calendar_window import CalendarWindow
from .rolling_window import RollingWindow

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SKEW = 1_000
"""Clocks of two takers, or of a taker and the provider, differ by at most this much. AWS keeps those of Lambda within
milliseconds of UTC."""

Window = RollingWindow | CalendarWindow


class Slot(NamedTuple):
    """The right to make one call."""

    grant: str
    start: int
    """Not before this instant of the quota's clock."""
    wall: int
    """The same instant by the taker's own clock, Unix time."""
    periods: tuple[tuple[int, ...], ...]
    """What is charged, for each calendar window."""


@dataclass
class Grant:
    """Slots that one taker holds and has not reported back."""

    begun: int
    until: int
    calls: int = 0
    periods: list[dict[int, int]] = field(default_factory=list)


class Quota:
    """The state of one quota.

    Parameters
    ----------
    windows
        The tiers, without any history.
    longest_call
        Milliseconds from a slot's start within which its call has ended, or will never start. A grant whose taker
        vanished is taken for calls that ended only then.
    """

    def __init__(self, windows: Sequence[Window], longest_call: int) -> None:
        self.rolling = [window for window in windows if isinstance(window, RollingWindow)]
        self.calendar = [window for window in windows if isinstance(window, CalendarWindow)]
        self.longest_call = longest_call
        self.clock = 0
        self.wall = 0
        self.owner = ""
        self.paused_until = 0
        self.grants: dict[str, Grant] = {}

    @property
    def windows(self) -> list[Window]:
        """All tiers."""
        return [*self.rolling, *self.calendar]

    @property
    def in_flight(self) -> int:
        """Slots taken and not reported back."""
        return sum(grant.calls for grant in self.grants.values())

    def advance(self, owner: str, wall: int) -> None:
        """Let the clock catch up. Comes before anything else.

        Parameters
        ----------
        owner
            Who measures. Another name for every clock: two processes must never share one.
        wall
            The owner's Unix time; it must not be set back during its life.
        """
        if not self.clock:
            self.clock = wall
        elif owner == self.owner:
            self.clock += wall - self.wall
        else:
            self.clock += max(0, wall - self.wall - MAX_SKEW)
        self.owner, self.wall = owner, wall
        for name in [name for name, grant in self.grants.items() if grant.until <= self.clock or not grant.calls]:
            self._expire(self.grants.pop(name))
        for window in self.rolling:
            window.forget(self.clock)
        for window in self.calendar:
            window.forget(wall - MAX_SKEW)

    def take(self, wanted: int, horizon: int) -> tuple[list[Slot], int | None]:
        """Take up to ``wanted`` slots that start within ``horizon``.

        Returns
        -------
        slots
            In the order of their starts.
        next_start
            When the next slot after them starts, for all that is known now; None when enough were found or when it
            depends on calls that have not ended.
        """
        in_flight = self.in_flight
        places = [window.free(self.clock, in_flight) for window in self.rolling]
        charged = [self._charged(index) for index in range(len(self.calendar))]
        start = max(self.clock, self.paused_until)
        slots: list[Slot] = []
        name, grant = self._grant()
        while len(slots) < wanted:
            for place in places:
                free = next(place, None)
                if free is None:
                    return slots, None
                start = max(start, free)
            start, periods = self._fit(start, charged)
            if start > self.clock + horizon:
                return slots, start
            grant.calls += 1
            grant.until = max(grant.until, start + self.longest_call)
            for held, used, touched in zip(grant.periods, charged, periods, strict=True):
                for period in touched:
                    held[period] = held.get(period, 0) + 1
                    used[period] = used.get(period, 0) + 1
            slots.append(Slot(name, start, start + self.wall - self.clock, periods))
        return slots, None

    def ended(self, slot: Slot, at: int) -> None:
        """Report the end of a slot's call, by the clock as the taker knew it when it took the slot."""
        if self._release(slot):
            for window in self.rolling:
                window.end(at)
            last = slot.wall + at - slot.start + MAX_SKEW
            for window, touched in zip(self.calendar, slot.periods, strict=True):
                for period in set(touched).intersection(window.periods(slot.wall - MAX_SKEW, last)):
                    window.charge(period)

    def give_back(self, slot: Slot) -> None:
        """Return a slot whose call was never started."""
        self._release(slot)

    def pause(self, until: int) -> None:
        """Let no call start before ``until``: the provider said Retry-After."""
        self.paused_until = max(self.paused_until, until)

    def spend(self, period: int) -> bool:
        """Take the tiers of this period for full; False when there is none."""
        found = False
        for window in self.rolling:
            if window.period == period:
                found = True
                window.spend(self.clock, self.in_flight)
        for index, window in enumerate(self.calendar):
            if window.period == period:
                found = True
                current = window.span(self.wall)[0]
                window.charge(current, max(0, window.limit - self._charged(index).get(current, 0)))
        return found

    def used(self, window: Window) -> int:
        """Count the calls that a tier holds now, those in flight included."""
        if isinstance(window, RollingWindow):
            return window.used(self.clock) + self.in_flight
        return self._charged(self.calendar.index(window)).get(window.span(self.wall)[0], 0)

    def dump(self) -> str:
        """Write the state as JSON."""
        return json.dumps(
            {
                "clock": self.clock,
                "wall": self.wall,
                "owner": self.owner,
                "paused_until": self.paused_until,
                "grants": {
                    name: [grant.begun, grant.until, grant.calls, [list(held.items()) for held in grant.periods]]
                    for name, grant in self.grants.items()
                    if grant.calls
                },
                "calendar": {window.key: window.dump() for window in self.calendar},
                "rolling": {window.key: [window.grain, *window.dump()] for window in self.rolling},
            },
            separators=(",", ":"),
        )

    def load(self, text: str) -> Quota:
        """Read what `dump` wrote, into a quota without history; tiers may have come, gone or changed since."""
        state = json.loads(text)
        self.clock, self.wall, self.owner = state["clock"], state["wall"], state["owner"]
        self.paused_until = state["paused_until"]
        keys = list(state["calendar"])
        for name, (begun, until, calls, periods) in state["grants"].items():
            held = dict(zip(keys, map(dict, periods), strict=True))
            grant = Grant(begun, until, calls, [held.get(window.key, {}) for window in self.calendar])
            self.grants[name] = grant
        for window in self.calendar:
            if window.key in state["calendar"]:
                window.load(state["calendar"][window.key])
            else:
                window.charge(window.span(self.wall)[0], window.limit)
        for window in self.rolling:
            if window.key in state["rolling"]:
                grain, *flat = state["rolling"][window.key]
                window.load(flat, grain)
        self._adopt([window for window in self.rolling if window.key not in state["rolling"]], state["rolling"])
        return self

    def _adopt(self, newcomers: list[RollingWindow], stored: dict[str, Any]) -> None:
        # A tier that is new to a quota in use inherits the calls of a tier that looks back at least as far. Where there
        # is none, what happened before is unknown, and the tier starts full.
        known = [RollingWindow(1, int(key.rpartition(":")[2])) for key in stored]
        longest = max(known, key=lambda window: window.period, default=None)
        for window in newcomers:
            if longest is None or longest.period < window.period:
                window.end(self.clock, window.limit)
            else:
                grain, *flat = stored[longest.key]
                window.load(flat, grain)

    def _grant(self) -> tuple[str, Grant]:
        # One grant collects a taker's slots for as long as a call may last, so that there are never more than a few.
        for name, grant in self.grants.items():
            if name.startswith(f"{self.owner}/") and self.clock - grant.begun < self.longest_call:
                return name, grant
        name = f"{self.owner}/{self.clock}"
        self.grants[name] = Grant(self.clock, self.clock, periods=[{} for _ in self.calendar])
        return name, self.grants[name]

    def _release(self, slot: Slot) -> bool:
        grant = self.grants.get(slot.grant)
        if grant is None:
            return False  # It had expired: its calls are counted already, at their latest possible end.
        grant.calls -= 1
        for held, touched in zip(grant.periods, slot.periods, strict=True):
            for period in touched:
                held[period] -= 1
        return True

    def _expire(self, grant: Grant) -> None:
        if grant.calls:
            for window in self.rolling:
                window.end(grant.until, grant.calls)
        for window, held in zip(self.calendar, grant.periods, strict=True):
            for period, calls in held.items():
                window.charge(period, calls)

    def _charged(self, index: int) -> dict[int, int]:
        total = dict(self.calendar[index].spent)
        for grant in self.grants.values():
            for period, calls in grant.periods[index].items():
                total[period] = total.get(period, 0) + calls
        return total

    def _fit(self, start: int, charged: list[dict[int, int]]) -> tuple[int, tuple[tuple[int, ...], ...]]:
        """Move a start on until no calendar period that its call may fall into is full."""
        ahead = self.wall - self.clock
        while True:
            touched = []
            for window, used in zip(self.calendar, charged, strict=True):
                wall = start + ahead
                periods = window.periods(wall - MAX_SKEW, wall + self.longest_call + MAX_SKEW)
                full = [period for period in periods if used.get(period, 0) >= window.limit]
                if full:
                    start = window.span(full[-1])[1] + MAX_SKEW - ahead
                    break
                touched.append(periods)
            else:
                return start, tuple(touched)
