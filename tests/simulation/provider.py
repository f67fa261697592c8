"""The third party: it counts each call at one instant, and keeps a ledger of its own, to the millisecond."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

DAY = 86_400_000


@dataclass(frozen=True)
class Limit:
    """A tier as the provider knows it; with a zone it begins anew by the clock on the wall there."""

    limit: int
    period: int
    zone: str = ""
    arrives: int = 0
    """It counts a call so long after its start at the latest (ms); 0: until its end."""


class Provider:
    def __init__(self, limits: list[Limit], skew: int) -> None:
        self.limits = limits
        self.skew = skew
        self.instants: list[int] = []

    def exceeded(self, limits: list[Limit], start: int = 0, end: int = 1 << 60) -> list[str]:
        """Return what was exceeded within a span of time."""
        seen = sorted(instant for instant in self.instants if start <= instant < end)
        return [
            problem
            for limit in limits
            for problem in (self._calendar(limit, seen) if limit.zone else self._rolling(limit, seen))
        ]

    @staticmethod
    def _rolling(limit: Limit, seen: list[int]) -> list[str]:
        return [
            f"{limit.limit + 1} calls within {seen[i + limit.limit] - seen[i]} ms, {limit}, at {seen[i]}"
            for i in range(len(seen) - limit.limit)
            if seen[i + limit.limit] - seen[i] <= limit.period
        ]

    def _calendar(self, limit: Limit, seen: list[int]) -> list[str]:
        zone, counts = ZoneInfo(limit.zone), dict[str, int]()
        for instant in seen:
            local = datetime.fromtimestamp((instant + self.skew) / 1000, timezone.utc).astimezone(zone)
            # Worked out in another way than the code under test does: by what the clock on the wall shows.
            part = (local.hour * 3600 + local.minute * 60 + local.second) * 1000 // limit.period
            key = {7 * DAY: "%G week %V", 30 * DAY: "%Y-%m"}.get(limit.period, "%Y-%m-%d")
            # An hour that comes twice is one in parts of an hour or more, and two of each in shorter ones.
            offset = local.strftime("%z") if limit.period < DAY // 24 else ""
            key = local.strftime(key) + (f" part {part} {offset}" if limit.period < DAY else "")
            counts[key] = counts.get(key, 0) + 1
        return [f"{calls} calls in {key}, {limit}" for key, calls in counts.items() if calls > limit.limit]
