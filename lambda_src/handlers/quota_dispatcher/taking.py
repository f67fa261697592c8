"""How slots are taken: one after another, in all tiers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clocks import MAX_SKEW
from .grants import Grant, Slot

if TYPE_CHECKING:
    from .quota import Quota


class Taking:
    """Takes slots, none of which starts before the one before it.

    Parameters
    ----------
    quota
        Of which.
    owner
        The taker.
    horizon
        They start within so long (ms).

    Attributes
    ----------
    next_start
        When the one that could not be taken starts, for all that is known now; None when it depends on calls that have
        not ended, or when every one could be taken.
    taken
        How many could be taken.
    """

    def __init__(self, quota: Quota, owner: str, horizon: int) -> None:
        self.next_start: int | None = None
        self.taken = 0
        self._quota = quota
        self._latest = quota.clock + horizon
        self._unit, self._most = quota.unit, quota.heaviest
        self._places = [window.places(quota.clock, quota.flying(window)) for window in quota.rolling]
        self._charged = {window.key: quota.charged(window) for window in quota.calendar}
        self._start = max(quota.clock, quota.paused_until)
        self._name, self._grant = self._find_grant(owner)

    def next(self, weight: int = 1, longest_call: int | None = None, *, after: int = 0) -> Slot | None:
        """Take the next one, of a weight; None when there is none.

        Parameters
        ----------
        longest_call
            As for `Quota`, of this one call.
        after
            It starts no earlier.
        """
        quota = self._quota
        if quota.closed:
            return None
        lasts = quota.longest_call if longest_call is None else longest_call
        start = max(self._start, after)
        slot = Slot(self._name, start, quota.frame, {}, weight, self._unit, self._most)
        for window, places in zip(quota.rolling, self._places, strict=True):
            free = places.take(slot.cost(window))
            if free is None:
                return None
            start = max(start, free)
        start, periods = self._fit(slot._replace(start=quota.learned.start(start, slot)), lasts)
        if start > self._latest:
            self.next_start = start
            return None
        self._start = start
        self.taken += 1
        slot = slot._replace(start=start, periods=periods)
        quota.learned.take(slot)
        grant = self._grant
        grant.calls += 1
        grant.weight += weight
        grant.until = max(grant.until, start + lasts)
        for window in quota.rolling:
            if window.arrival is not None:
                window.end(start + window.arrival, slot.cost(window))
        for window in quota.calendar:
            cost, touched = slot.cost(window), periods[window.key]
            for count in (grant.periods.setdefault(window.key, {}), self._charged[window.key]):
                count.update({period: count.get(period, 0) + cost for period in touched})
        return slot

    def _find_grant(self, owner: str) -> tuple[str, Grant]:
        # One grant collects a taker's slots for as long as a call may last, so that there are never more than a few.
        quota = self._quota
        for name, grant in quota.grants.items():
            if name.startswith(f"{owner}/") and quota.clock - grant.begun < quota.longest_call:
                return name, grant
        name = f"{owner}/{quota.clock}"
        quota.grants[name] = Grant(quota.clock, quota.clock)
        return name, quota.grants[name]

    def _fit(self, slot: Slot, lasts: int) -> tuple[int, dict[str, tuple[int, ...]]]:
        """Move a start on until no calendar period that its call may fall into is full."""
        quota, start = self._quota, slot.start
        ahead = quota.frame.at.wall - quota.clock
        while True:
            touched = {}
            for window in quota.calendar:
                wall = start + ahead
                periods = window.periods(wall - MAX_SKEW, wall + lasts + MAX_SKEW)
                spent, most = self._charged[window.key], window.limit - slot.cost(window)
                full = [period for period in periods if spent.get(period, 0) > most]
                if full:
                    start = window.span(full[-1])[1] + MAX_SKEW - ahead
                    break
                touched[window.key] = periods
            else:
                return start, touched
