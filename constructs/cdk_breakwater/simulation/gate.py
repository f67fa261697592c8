"""The gate before a provider: how many calls may start, and when the next one may."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from .places import CalendarPlaces, RollingPlaces
from .quota import Tier

if TYPE_CHECKING:
    from .history import EntryHistory
    from .quota import Quota

_SKEW_SECONDS = 1.0
_PACE_SECONDS = 1.0
_EXACT_SECONDS = 0.001
_DUST = 1e-6


class Gate:
    """The tiers of a quota and the limits of its dispatcher; or, where nobody waits for them, the provider's ledger.

    Parameters
    ----------
    quota
        The quota.
    history
        Of the quota.
    """

    def __init__(self, quota: Quota, history: EntryHistory) -> None:
        self._quota, self._history = quota, history
        if quota.is_kept:
            pace = max(1, math.ceil(quota.calls_per_second * _PACE_SECONDS))
            own = (
                Tier(f"parallelism {quota.parallelism}", quota.parallelism, 0),
                Tier(
                    f"{quota.calls_per_second:,.0f} calls a second of the quota's dispatchers",
                    pace,
                    _PACE_SECONDS,
                    arrival=0,
                ),
            )
            self._tiers = [_kept(tier, quota) for tier in quota.tiers]
            self._places = [*self._tiers, *(_kept(tier, quota) for tier in own)]
        else:
            self._places = self._tiers = [_counted(tier) for tier in quota.tiers]

    def room(self, now: float) -> float:
        """Give how many calls may start."""
        return min(places.free(now) / self._cost(places.tier) for places in self._places)

    def next_start(self, now: float) -> float | None:
        """Give when the next call may start; None where that depends on calls that have not ended."""
        times = [places.next_free(now, self._cost(places.tier)) for places in self._full(now)]
        known = [time for time in times if time is not None]
        return max(known, default=now) if len(known) == len(times) else None

    def hold_back(self, now: float) -> None:
        """Note which limits messages wait for: the tiers, and the dispatcher's own where no tier is one."""
        full = self._full(now)
        for places in [places for places in full if places in self._tiers] or full:
            history = self._history.tiers[places.tier.name]
            if history.held_back is None:
                history.held_back = now

    def take(self, start: float, amount: float) -> None:
        """Let calls begin."""
        for places in self._places:
            places.take(start, amount * self._cost(places.tier))

    def end(self, start: float, end: float, amount: float) -> None:
        """Let calls end."""
        for places in self._places:
            places.end(start, end, amount * self._cost(places.tier))

    def note(self, now: float) -> None:
        """Write down what each tier holds."""
        for places in self._places:
            self._history.tiers[places.tier.name].used.set(now, places.tier.limit - places.free(now))

    def _full(self, now: float) -> list[RollingPlaces | CalendarPlaces]:
        return [places for places in self._places if places.free(now) < self._cost(places.tier) - _DUST]

    def _cost(self, tier: Tier) -> float:
        return self._quota.weight if tier.is_weighed else 1.0


def _kept(tier: Tier, quota: Quota) -> RollingPlaces | CalendarPlaces:
    """Give the places as the dispatcher takes them, who does not know when within a call the provider counts."""
    if tier.is_calendar:
        return CalendarPlaces(tier, quota.longest_call, _SKEW_SECONDS)
    return RollingPlaces(tier, tier.grain)


def _counted(tier: Tier) -> RollingPlaces | CalendarPlaces:
    """Give the places as a provider counts calls that it accepts: each at its start."""
    if tier.is_calendar:
        return CalendarPlaces(tier, 0, 0)
    return RollingPlaces(replace(tier, arrival=0), _EXACT_SECONDS)
