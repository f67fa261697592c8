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

from typing import TYPE_CHECKING, Any

from .calendar_window import CalendarWindow
from .clocks import MAX_SKEW, Frame, Reading
from .compact_json import without_empty
from .grants import Grant
from .learned import ROUNDED, Learned
from .rolling_window import RollingWindow
from .taking import Taking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .grants import Slot
    from .held import Held
    from .learned import Told

LATE = 2_000
"""A slot not used this long (ms, as all times here) after its start is given back. Part of a longest call, and of
`RollingWindow.arrival`."""

Window = RollingWindow | CalendarWindow


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
        self.learned = Learned()

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
        return self._pass_time(now.wall)

    def follow(self, other: Quota) -> list[Held]:
        """Let the clock be another quota's, in place of `advance`. Return what that does."""
        self.clock, self.wall, self.frame = other.clock, other.wall, other.frame
        return self._pass_time(other.frame.at.wall)

    def _pass_time(self, wall: int) -> list[Held]:
        over = [name for name, grant in self.grants.items() if grant.until <= self.clock or not grant.calls]
        returned = [held for name in over for held in self._expire(self.grants.pop(name))]
        self.learned.forget(self.clock)
        for window in self.windows:
            window.lower(self.learned.limits)
        for window in self.rolling:
            window.forget(self.clock, remember=self.learned.heard_until > 0)
        for window in self.calendar:
            window.forget(wall - MAX_SKEW)
        return returned

    def empty_at(self) -> int:
        """Return when it holds nothing that is worth remembering, if nothing is in flight."""
        ends = [self.clock, self.paused_until, self.learned.holds_until]
        ends += [window.empty_at() for window in self.rolling]
        behind = self.clock - self.wall + 2 * MAX_SKEW
        ends += [window.span(period)[1] + behind for window in self.calendar for period in window.spent]
        return max(ends)

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
        taking = Taking(self, owner, horizon)
        slots: list[Slot] = []
        while len(slots) < wanted and (slot := taking.next()):
            slots.append(slot)
        return slots, taking.next_start

    def begun(self, slot: Slot, at: int) -> None:
        """Report, once, when the call of a slot has begun (`Frame.high`), which tells when it has arrived."""
        if slot.grant in self.grants:
            for window in self.rolling:
                cost = slot.cost(window)
                if window.arrival is not None and window.remove(slot.start + window.arrival, cost):
                    window.end(_arrived(window, slot, at), cost)

    def ended(self, slot: Slot, at: int, begun: int | None = None, used: int | None = None) -> None:
        """Report the end of a slot's call, by the clock as the taker knew it when it took the slot (`Frame.high`).

        Parameters
        ----------
        begun
            What was said of its beginning.
        used
            What it has weighed in truth. Default: what its slot weighs.
        """
        if self._release(slot):
            for window in self.rolling:
                cost = slot.cost(window, used)
                if window.arrival is None:
                    window.end(at, cost)
                elif window.remove(arrived := _arrived(window, slot, begun), slot.cost(window)):
                    window.end(min(at, arrived), cost)
            last = slot.wall + at - slot.start + MAX_SKEW
            for window in self.calendar:
                for period in window.periods(slot.wall - MAX_SKEW, last):
                    window.charge(period, slot.cost(window, used))

    def give_back(self, slot: Slot, begun: int | None = None) -> None:
        """Return a slot whose call was never started, whatever was said of its beginning."""
        if self._release(slot):
            self.learned.give_back(slot)
            for window in self.rolling:
                if window.arrival is not None:
                    window.remove(_arrived(window, slot, begun), slot.cost(window))

    @property
    def unit(self) -> str:
        """Where the weights that its tiers count stand in a message; empty when each call counts as one."""
        return next((window.weight for window in self.windows if window.weight), "")

    @property
    def heaviest(self) -> int:
        """The most that one message may weigh."""
        return min((window.limit for window in self.windows if window.weight), default=1)

    def pause(self, until: int) -> None:
        """Let no call start before ``until``: the provider said Retry-After."""
        self.paused_until = max(self.paused_until, until)

    @property
    def closed(self) -> bool:
        """Whether a tier grants no call at all: a counter's part of what was lowered."""
        return not all(window.limit for window in self.windows)

    def hear(self, told: Told, slot: Slot, at: int, longest: int) -> None:
        """Take in what the provider has said in the response to a call that has ended.

        Parameters
        ----------
        at
            As for `ended`, which comes before.
        longest
            It holds no longer than this (ms).
        """
        told_of = [
            window
            for window in self.windows
            if bool(window.weight) == told.weighted
            and (window.period == told.window if told.window else told.limit in (None, window.limit, window.stated))
        ]
        for window in told_of:
            if told.limit is not None and told.window and not told.weighted:
                self.learned.limits[window.key] = [told.limit, at + max(longest, window.period)]
                window.lower(self.learned.limits)
        self.learned.heard_until = at + longest
        for window in told_of:
            own = self._own(window, slot.start)
            if own is None:
                return  # It was said too long ago.
            if (told.limit or window.limit) - told.remaining <= own + told.uneven:
                # The provider has counted nothing but the calls of this quota, whose tier takes care of them.
                self.learned.lift(told, slot.start)
                return
        in_flight = sum(grant.weight if told.weighted else grant.calls for grant in self.grants.values())
        until = at + min(longest, told.reset + ROUNDED)
        self.learned.hear(told, slot.start, at, until=until, in_flight=in_flight)

    def _own(self, window: Window, since: int) -> int | None:
        """Count what the provider may have seen of this quota's calls, when it answered after an instant."""
        if isinstance(window, CalendarWindow):
            ahead = self.frame.at.wall - self.clock
            now, then = (window.span(instant + ahead)[0] for instant in (self.clock, since))
            return self.used(window) if now == then else None
        if self.clock - since > window.memory:
            return None
        return window.ended_since(since - window.period) + self.flying(window)

    def spend(self, period: int) -> bool:
        """Take the tiers of this period for full; False when there is none."""
        found = False
        for window in self.rolling:
            if window.period == period:
                found = True
                window.spend(self.clock, self.flying(window))
        for window in self.calendar:
            if window.period == period:
                found = True
                current = window.span(self.frame.at.wall)[0]
                window.charge(current, max(0, window.limit - self.charged(window).get(current, 0)))
        return found

    def used(self, window: Window) -> int:
        """Count the places of a tier that are held now, by calls in flight and by those before them.

        A slot that was taken ahead of its start waits for the place of another call: until then it is one place, and
        not two.
        """
        if isinstance(window, RollingWindow):
            noted = window.used(self.clock)
            return max(noted - window.ahead(self.clock), min(window.limit, noted + self.flying(window)))
        return self.charged(window).get(window.span(self.frame.at.wall)[0], 0)

    def in_order(self, tiers: Sequence[dict[str, Any]]) -> list[Window]:
        """Return the windows in the order of their tiers."""
        rolling, calendar = iter(self.rolling), iter(self.calendar)
        return [next(calendar if tier.get("zone") else rolling) for tier in tiers]

    def dump(self) -> dict[str, Any]:
        """Write the state as JSON knows it."""
        state = {
            "paused_until": self.paused_until,
            "grants": {name: grant.dump() for name, grant in self.grants.items() if grant.calls},
            "calendar": {window.key: window.dump() for window in self.calendar},
            "rolling": {window.key: [window.grain, *window.dump()] for window in self.rolling},
            "learned": self.learned.dump(),
        }
        return {"clock": self.clock, "wall": self.wall, **without_empty(state)}

    def load(self, state: dict[str, Any]) -> Quota:
        """Read what `dump` wrote, into a quota without history; tiers may have come, gone or changed since."""
        self.clock, self.wall = state["clock"], state["wall"]
        self.frame = Frame(self.clock, Reading(self.wall, 0))
        self.paused_until = state.get("paused_until", 0)
        self.learned.load(state.get("learned", {}))
        for window in self.windows:
            window.lower(self.learned.limits)
        self.grants = {name: Grant.load(grant) for name, grant in state.get("grants", {}).items()}
        calendar, rolling = state.get("calendar", {}), state.get("rolling", {})
        for window in self.calendar:
            if window.key in calendar:
                window.load(calendar[window.key])
            else:
                window.charge(window.span(self.wall)[0], window.limit)
                for grant in self.grants.values():
                    ahead = self.wall - self.clock
                    touched = window.periods(grant.begun + ahead - MAX_SKEW, grant.until + ahead + 2 * MAX_SKEW)
                    # What those calls weigh is unknown.
                    grant.periods[window.key] = dict.fromkeys(touched, window.limit if window.weight else grant.calls)
        known = {window.key for window in self.calendar}
        for grant in self.grants.values():
            grant.periods = {key: charged for key, charged in grant.periods.items() if key in known}
        for window in self.rolling:
            if window.key in rolling:
                grain, *flat = rolling[window.key]
                window.load(flat, grain)
        self._adopt([window for window in self.rolling if window.key not in rolling], rolling)
        return self

    def _adopt(self, newcomers: list[RollingWindow], stored: dict[str, Any]) -> None:
        # A tier that is new to a quota in use inherits the calls of a tier that looks back at least as far. Where there
        # is none, what happened before is unknown, and the tier starts full. What calls have weighed is unknown, too,
        # until those in flight have ended.
        known = [(int(key.split(":")[1]), key) for key in stored if key.count(":") == 1]
        period, longest = max(known, default=(0, ""))
        ends = max((self.clock, *(grant.until for grant in self.grants.values())))
        for window in newcomers:
            if window.weight:
                window.end(ends, window.limit)
                continue
            if period < window.period:
                window.end(self.clock, window.limit)
            else:
                grain, *flat = stored[longest]
                window.load(flat, grain)
            if window.arrival is not None:
                for grant in self.grants.values():
                    window.end(grant.until, grant.calls)

    def flying(self, window: RollingWindow) -> int:
        """Count what is in flight and of which a window has no mark yet."""
        if window.arrival is not None:
            return 0
        return sum(grant.cost(window) for grant in self.grants.values())

    def _release(self, slot: Slot) -> bool:
        grant = self.grants.get(slot.grant)
        if grant is None:
            return False  # It had expired: its calls are counted already, at their latest possible end.
        grant.release(slot)
        for window in self.calendar:
            charged = grant.periods.get(window.key, {})
            # A tier that is newer than the slot: every call of the grant was charged to all periods that it may touch.
            for period in slot.periods.get(window.key, tuple(charged)):
                charged[period] = charged.get(period, 0) - slot.cost(window)
        return True

    def _expire(self, grant: Grant) -> list[Held]:
        if grant.calls:
            for window in self.rolling:
                if window.arrival is None:
                    window.end(grant.until, grant.cost(window))
        for window in self.calendar:
            for period, calls in grant.periods.get(window.key, {}).items():
                window.charge(period, calls)
        return grant.messages

    def charged(self, window: CalendarWindow) -> dict[int, int]:
        """Count by period, what may be charged to it by calls in flight included."""
        total = dict(window.spent)
        for grant in self.grants.values():
            for period, calls in grant.periods.get(window.key, {}).items():
                total[period] = total.get(period, 0) + calls
        return total


def _arrived(window: RollingWindow, slot: Slot, begun: int | None) -> int:
    """Return when the call of a slot has arrived for certain."""
    start = slot.start if begun is None else begun - LATE
    return start + (window.arrival or 0)
