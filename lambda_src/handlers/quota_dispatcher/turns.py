"""When a dispatcher writes the counter: seldom, but whenever that would start a call or free a place soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws_errors import AwsError
from .plan import FULL_TURN, MANY, TURN

if TYPE_CHECKING:
    from .calls import Calls
    from .host import Host
    from .plan import Plan
    from .settings import Settings
    from .store import Item, Store

LOOK = 500
"""Between two looks for new messages while calls are running and nothing else waits."""


class Turns:
    """The reasons for the next write, and their times by the monotonic clock (ms).

    Parameters
    ----------
    settings, host, store, calls
        Of the dispatcher.
    """

    def __init__(self, settings: Settings, host: Host, store: Store, calls: Calls) -> None:
        self._host = host
        self._store = store
        self._calls = calls
        self._keyed = bool(settings.key)
        self._by_arrival = any("arrival" in tier for tier in (*settings.tiers, *settings.key_tiers))
        self._more = self._blocked = self._all_taken = False
        self._next = self._next_full = self._next_look = self._next_said = 0

    def due(self, room: int, item: Item) -> bool:
        """Tell whether there is a reason to write.

        Parameters
        ----------
        room
            How many calls could be taken.
        item
            The counter's item, as it was last seen.
        """
        now, calls = self._host.reading().monotonic, self._calls
        return (
            calls.signalled
            or (not calls.busy and (bool(calls.reports) or now >= self._next))
            or (self._more and now >= self._next and room > 0)
            or (self._all_taken and now >= self._next_full and room >= MANY)
            or self._beginnings_are_due(now)
            or (self._blocked and bool(calls.reports) and room > 0)
            or self._look(now, room, item)
        )

    def written(self, plan: Plan, room: int) -> None:
        """Go on from a write; `room` as for `due`."""
        now = self._host.reading().monotonic
        self._more = plan.taken.more
        self._blocked = bool(plan.counter.shelf.parked)
        self._all_taken = self._more and room <= 0
        self._next = now + (plan.rest or 0)
        self._next_full = now + FULL_TURN
        self._next_look = now + LOOK
        self._next_said = now + TURN

    def until_next(self, room: int) -> list[int]:
        """Milliseconds until each of the reasons that may come; `room` as for `due`."""
        times: list[int] = []
        if (self._more and room > 0) or not self._calls.busy:
            times.append(self._next)
            if self._all_taken and room >= MANY:
                times.append(self._next_full)
            if self._more and self._by_arrival:
                times.append(self._next_said)
            if self._keyed and self._calls.busy:
                times.append(self._next_look)
        elif room > 0:
            times.append(self._next_look)
        now = self._host.reading().monotonic
        return [time - now for time in times]

    def _look(self, now: int, room: int, item: Item) -> bool:
        """Look for pages that were filed while calls are running, and nothing else would lead to a write."""
        # Where there are keys, what waits is no reason for what comes to wait as well.
        if (self._more and not self._keyed) or now < self._next_look or room <= 0 or not self._calls.busy:
            return False
        self._next_look = now + LOOK
        try:
            return self._store.read().filed != item.filed
        except AwsError:
            return False

    def _beginnings_are_due(self, now: int) -> bool:
        """Tell whether a write would free places early, since calls have begun that count when they arrive."""
        if not self._more or now < self._next_said or not self._by_arrival:
            return False
        self._next_said = now + TURN
        return bool(self._calls.flights.unsaid())
