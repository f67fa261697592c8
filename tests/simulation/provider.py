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
    weighted: bool = False
    """It counts what a call weighs."""

    def cost(self, weight: int) -> int:
        return weight if self.weighted else 1


class Provider:
    def __init__(self, limits: list[Limit], skew: int) -> None:
        self.limits = limits
        self.skew = skew
        self.instants: list[int] = []
        self.weights: list[int] = []

    def count(self, instant: int, weight: int = 1) -> None:
        self.instants.append(instant)
        self.weights.append(weight)

    def tell(self, limit: Limit, now: int) -> dict[str, float]:
        """Say what is left of a limit, as the headers of a response do."""
        held = sum(now - limit.period <= instant <= now for instant in self.instants[-3 * limit.limit :])
        seconds = limit.period / 1_000
        return {"remaining": max(0, limit.limit - held), "reset": seconds, "limit": limit.limit, "window": seconds}

    def exceeded(self, limits: list[Limit], start: int = 0, end: int = 1 << 60) -> list[str]:
        """Return what was exceeded within a span of time."""
        calls = sorted(zip(self.instants, self.weights, strict=True))
        seen = [(instant, weight) for instant, weight in calls if start <= instant < end]
        return [
            problem
            for limit in limits
            for problem in (self._calendar(limit, seen) if limit.zone else self._rolling(limit, seen))
        ]

    @staticmethod
    def _rolling(limit: Limit, seen: list[tuple[int, int]]) -> list[str]:
        problems, first, total = list[str](), 0, 0
        for instant, weight in seen:
            total += limit.cost(weight)
            while instant - seen[first][0] > limit.period:
                total -= limit.cost(seen[first][1])
                first += 1
            if total > limit.limit:
                problems.append(f"{total} within {instant - seen[first][0]} ms, {limit}, at {seen[first][0]}")
        return problems

    def _calendar(self, limit: Limit, seen: list[tuple[int, int]]) -> list[str]:
        zone, counts = ZoneInfo(limit.zone), dict[str, int]()
        for instant, weight in seen:
            local = datetime.fromtimestamp((instant + self.skew) / 1000, timezone.utc).astimezone(zone)
            # Worked out in another way than the code under test does: by what the clock on the wall shows.
            part = (local.hour * 3600 + local.minute * 60 + local.second) * 1000 // limit.period
            key = {7 * DAY: "%G week %V", 30 * DAY: "%Y-%m"}.get(limit.period, "%Y-%m-%d")
            # An hour that comes twice is one in parts of an hour or more, and two of each in shorter ones.
            offset = local.strftime("%z") if limit.period < DAY // 24 else ""
            key = local.strftime(key) + (f" part {part} {offset}" if limit.period < DAY else "")
            counts[key] = counts.get(key, 0) + limit.cost(weight)
        return [f"{calls} calls in {key}, {limit}" for key, calls in counts.items() if calls > limit.limit]
