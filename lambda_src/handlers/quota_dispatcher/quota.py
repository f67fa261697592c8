"""How many calls may start, and when, so that no window of any tier ever holds more than its limit.

Nothing of AWS is in here. Whoever wants to call loads the state of a quota, advances its clock, reports what ended,
takes slots and stores it again, on the condition that nobody else has stored it in between. That one conditional write
covers all tiers and a whole block of calls.

The quota has a clock of its own, kept in its state: it never runs faster than real time, whoever advances it. A process
measures with its monotonic clock between two writes of its own. When another has written in between, the time since is
known only up to the skew between two clocks, so that much of it is not counted. Clocks that disagree cost a moment of
waiting at a takeover, and nothing else. All times are whole milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .calendar_window import CalendarWindow
from .clocks import Frame, Reading
from .rolling_window import RollingWindow

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SKEW = 1_000
"""Clocks of two takers, or of a taker and the provider, differ by at most this much. AWS keeps those of Lambda within
milliseconds of UTC."""

LATE = 2_000
"""A slot not used this long (ms, as all times here) after its start is given back. Part of a longest call, and of
`RollingWindow.arrival`."""

Window = RollingWindow | CalendarWindow


class Ref(NamedTuple):
    """Where a message lies on the shelf: lane, page, position on the page; and its group, where order matters."""

    lane: int
    page: int
    index: int
    group: int = 0


class Held(NamedTuple):
    """A message and how often it has failed."""

    ref: Ref
    failures: int = 0


class Slot(NamedTuple):
    """The right to make one call."""

    grant: str
    start: int
    """Not before this instant of the quota's clock."""
    frame: Frame
    """How its taker reads that clock."""
    periods: dict[str, tuple[int, ...]]
    """What is charged to each calendar window, by its key."""

    @property
    def wall(self) -> int:
        """The start by the taker's own clock, Unix time."""
        return self.start + self.frame.at.wall - self.frame.clock


@dataclass
class Grant:
    """Slots that one taker holds and has not reported back, and the messages that they are for."""

    begun: int
    until: int
    calls: int = 0
    periods: dict[str, dict[int, int]] = field(default_factory=dict)
    messages: list[Held] = field(default_factory=list)


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
        self.frame = Frame(0, Reading(0, 0))
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

    def advance(self, now: Reading, mine: Frame | None = None) -> list[Held]:
        """Let the clock catch up; comes before anything else. Return the messages of takers that have vanished.

        Parameters
        ----------
        now
            The clocks of who measures.
        mine
            What the clock was at the last write, when that was this process's own.
        """
        if not self.clock:
            self.clock = now.wall
        else:
            measured = mine.low(now) - mine.clock if mine else 0
            self.clock += max(0, measured, now.wall - self.wall - MAX_SKEW)
        # Never back: a clock that was set back would let the next one count the same time again.
        self.wall = max(self.wall, now.wall)
        self.frame = Frame(self.clock, now)
        over = [name for name, grant in self.grants.items() if grant.until <= self.clock or not grant.calls]
        returned = [held for name in over for held in self._expire(self.grants.pop(name))]
        for window in self.rolling:
            window.forget(self.clock)
        for window in self.calendar:
            window.forget(now.wall - MAX_SKEW)
        return returned

    def take(self, owner: str, wanted: int, horizon: int) -> tuple[list[Slot], int | None]:
        """Take up to ``wanted`` slots that start within ``horizon``.

        Returns
        -------
        slots
            In the order of their starts.
        next_start
            When the next slot after them starts, for all that is known now; None when enough were found or when it
            depends on calls that have not ended.
        """
        places = [window.free(self.clock, self._flying(window)) for window in self.rolling]
        charged = {window.key: self._charged(window) for window in self.calendar}
        start = max(self.clock, self.paused_until)
        slots: list[Slot] = []
        name, grant = self._grant(owner)
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
            for window in self.rolling:
                if window.arrival is not None:
                    window.end(start + window.arrival)
            for key, touched in periods.items():
                for count in (grant.periods.setdefault(key, {}), charged[key]):
                    count.update({period: count.get(period, 0) + 1 for period in touched})
            slots.append(Slot(name, start, self.frame, periods))
        return slots, None

    def begun(self, slot: Slot, at: int) -> None:
        """Report, once, when the call of a slot has begun (`Frame.high`), which tells when it has arrived."""
        if slot.grant in self.grants:
            for window in self.rolling:
                if window.arrival is not None and window.remove(slot.start + window.arrival):
                    window.end(_arrived(window, slot, at))

    def ended(self, slot: Slot, at: int, begun: int | None = None) -> None:
        """Report the end of a slot's call, by the clock as the taker knew it when it took the slot (`Frame.high`).

        Parameters
        ----------
        begun
            What was said of its beginning.
        """
        if self._release(slot):
            for window in self.rolling:
                if window.arrival is None:
                    window.end(at)
                elif window.remove(arrived := _arrived(window, slot, begun)):
                    window.end(min(at, arrived))
            last = slot.wall + at - slot.start + MAX_SKEW
            for window in self.calendar:
                for period in window.periods(slot.wall - MAX_SKEW, last):
                    window.charge(period)

    def give_back(self, slot: Slot, begun: int | None = None) -> None:
        """Return a slot whose call was never started, whatever was said of its beginning."""
        if self._release(slot):
            for window in self.rolling:
                if window.arrival is not None:
                    window.remove(_arrived(window, slot, begun))

    def pause(self, until: int) -> None:
        """Let no call start before ``until``: the provider said Retry-After."""
        self.paused_until = max(self.paused_until, until)

    def spend(self, period: int) -> bool:
        """Take the tiers of this period for full; False when there is none."""
        found = False
        for window in self.rolling:
            if window.period == period:
                found = True
                window.spend(self.clock, self._flying(window))
        for window in self.calendar:
            if window.period == period:
                found = True
                current = window.span(self.frame.at.wall)[0]
                window.charge(current, max(0, window.limit - self._charged(window).get(current, 0)))
        return found

    def used(self, window: Window) -> int:
        """Count the calls that a tier holds now, those in flight included."""
        if isinstance(window, RollingWindow):
            return window.used(self.clock) + self._flying(window)
        return self._charged(window).get(window.span(self.frame.at.wall)[0], 0)

    def in_order(self, tiers: Sequence[dict[str, Any]]) -> list[Window]:
        """Return the windows in the order of their tiers."""
        rolling, calendar = iter(self.rolling), iter(self.calendar)
        return [next(calendar if tier.get("zone") else rolling) for tier in tiers]

    def dump(self) -> dict[str, Any]:
        """Write the state as JSON knows it."""
        return {
            "clock": self.clock,
            "wall": self.wall,
            "paused_until": self.paused_until,
            "grants": {
                name: [
                    grant.begun,
                    grant.until,
                    grant.calls,
                    {key: list(charged.items()) for key, charged in grant.periods.items()},
                    [[*held.ref, held.failures] for held in grant.messages],
                ]
                for name, grant in self.grants.items()
                if grant.calls
            },
            "calendar": {window.key: window.dump() for window in self.calendar},
            "rolling": {window.key: [window.grain, *window.dump()] for window in self.rolling},
        }

    def load(self, state: dict[str, Any]) -> Quota:
        """Read what `dump` wrote, into a quota without history; tiers may have come, gone or changed since."""
        self.clock, self.wall = state["clock"], state["wall"]
        self.frame = Frame(self.clock, Reading(self.wall, 0))
        self.paused_until = state["paused_until"]
        for name, (begun, until, calls, periods, messages) in state["grants"].items():
            charged = {key: dict(map(tuple, pairs)) for key, pairs in periods.items()}
            held = [Held(Ref(*message[:4]), message[4]) for message in messages]
            self.grants[name] = Grant(begun, until, calls, charged, held)
        for window in self.calendar:
            if window.key in state["calendar"]:
                window.load(state["calendar"][window.key])
            else:
                window.charge(window.span(self.wall)[0], window.limit)
                for grant in self.grants.values():
                    ahead = self.wall - self.clock
                    touched = window.periods(grant.begun + ahead - MAX_SKEW, grant.until + ahead + 2 * MAX_SKEW)
                    grant.periods[window.key] = dict.fromkeys(touched, grant.calls)
        known = {window.key for window in self.calendar}
        for grant in self.grants.values():
            grant.periods = {key: charged for key, charged in grant.periods.items() if key in known}
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
            if window.arrival is not None:
                for grant in self.grants.values():
                    window.end(grant.until, grant.calls)

    def _flying(self, window: RollingWindow) -> int:
        """Count the calls of which a window has no mark yet."""
        return self.in_flight if window.arrival is None else 0

    def _grant(self, owner: str) -> tuple[str, Grant]:
        # One grant collects a taker's slots for as long as a call may last, so that there are never more than a few.
        for name, grant in self.grants.items():
            if name.startswith(f"{owner}/") and self.clock - grant.begun < self.longest_call:
                return name, grant
        name = f"{owner}/{self.clock}"
        self.grants[name] = Grant(self.clock, self.clock)
        return name, self.grants[name]

    def _release(self, slot: Slot) -> bool:
        grant = self.grants.get(slot.grant)
        if grant is None:
            return False  # It had expired: its calls are counted already, at their latest possible end.
        grant.calls -= 1
        for key, charged in grant.periods.items():
            # A tier that is newer than the slot: every call of the grant was charged to all periods that it may touch.
            for period in slot.periods.get(key, tuple(charged)):
                charged[period] = charged.get(period, 0) - 1
        return True

    def _expire(self, grant: Grant) -> list[Held]:
        if grant.calls:
            for window in self.rolling:
                if window.arrival is None:
                    window.end(grant.until, grant.calls)
        for window in self.calendar:
            for period, calls in grant.periods.get(window.key, {}).items():
                window.charge(period, calls)
        return grant.messages

    def _charged(self, window: CalendarWindow) -> dict[int, int]:
        total = dict(window.spent)
        for grant in self.grants.values():
            for period, calls in grant.periods.get(window.key, {}).items():
                total[period] = total.get(period, 0) + calls
        return total

    def _fit(self, start: int, charged: dict[str, dict[int, int]]) -> tuple[int, dict[str, tuple[int, ...]]]:
        """Move a start on until no calendar period that its call may fall into is full."""
        ahead = self.frame.at.wall - self.clock
        while True:
            touched = {}
            for window in self.calendar:
                wall = start + ahead
                periods = window.periods(wall - MAX_SKEW, wall + self.longest_call + MAX_SKEW)
                full = [period for period in periods if charged[window.key].get(period, 0) >= window.limit]
                if full:
                    start = window.span(full[-1])[1] + MAX_SKEW - ahead
                    break
                touched[window.key] = periods
            else:
                return start, touched


def _arrived(window: RollingWindow, slot: Slot, begun: int | None) -> int:
    """Return when the call of a slot has arrived for certain."""
    start = slot.start if begun is None else begun - LATE
    return start + (window.arrival or 0)
