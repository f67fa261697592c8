"""Real time, a provider that counts, and takers whose clocks disagree: a world to try a quota in."""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from handlers.quota_dispatcher.calendar_window import DAY, CalendarWindow
from handlers.quota_dispatcher.clocks import Frame, Reading
from handlers.quota_dispatcher.grants import Slot
from handlers.quota_dispatcher.quota import Quota
from handlers.quota_dispatcher.rolling_window import RollingWindow

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

LATE = 500
LONGEST = 3_000
MIDNIGHT = int(datetime(2026, 3, 8, 0, tzinfo=ZoneInfo("America/New_York")).timestamp() * 1000)
"""A day of 23 hours begins."""


@dataclass(frozen=True)
class Tier:
    limit: int
    period: int
    zone: str | None = None

    def window(self) -> RollingWindow | CalendarWindow:
        if self.zone is None:
            return RollingWindow(self.limit, self.period)
        return CalendarWindow(self.limit, self.period, ZoneInfo(self.zone), self.zone)


class Provider:
    """Counts each call at one instant, and knows when a window was exceeded."""

    def __init__(self, tiers: list[Tier], skew: int = 0) -> None:
        self.tiers = tiers
        self.skew = skew
        self.instants: list[float] = []

    def call(self, at: float) -> None:
        insort(self.instants, at)

    def exceeded(self) -> list[str]:
        return [problem for tier in self.tiers for problem in self._exceeded(tier)]

    def _exceeded(self, tier: Tier) -> list[str]:
        seen = self.instants
        if tier.zone is None:
            return [
                f"{tier}: {tier.limit + 1} calls within {seen[i + tier.limit] - seen[i]} ms, at {seen[i]}"
                for i in range(len(seen) - tier.limit)
                if seen[i + tier.limit] - seen[i] <= tier.period
            ]
        zone, counts = ZoneInfo(tier.zone), dict[str, int]()
        for instant in seen:
            local = datetime.fromtimestamp((instant + self.skew) / 1000, timezone.utc).astimezone(zone)
            # Worked out in another way than the code under test does: by the local time's text.
            key = local.strftime(
                "%Y-%m-%d" if tier.period == DAY else "%Y-%m-%d %H %z" + (" %M" * (tier.period < 3_600_000))
            )
            counts[key] = counts.get(key, 0) + 1
        return [f"{tier}: {calls} calls in {key}" for key, calls in counts.items() if calls > tier.limit]


@dataclass
class Taker:
    """One dispatcher's memory: lost when it crashes."""

    owner: str
    skew: int
    frame: Frame | None = None
    held: list[Slot] = field(default_factory=list)
    ended: list[tuple[Slot, int]] = field(default_factory=list)
    unused: list[Slot] = field(default_factory=list)


@dataclass(order=True)
class Call:
    end: int
    instant: float
    slot: Slot = field(compare=False)
    taker: Taker = field(compare=False)
    stamp: int = field(compare=False)


class World:
    """Everything that outlives a crash: real time, the stored state, calls on their way."""

    def __init__(self, tiers: list[Tier], random: Random, start: int = MIDNIGHT) -> None:
        self.tiers = tiers
        self.random = random
        self.now = self.begun = start
        self.provider = Provider(tiers, random.randint(-500, 500))
        self.text = ""
        self.writer: Taker | None = None
        self.calls: list[Call] = []
        self.takers = [self.newcomer() for _ in range(3)]
        self.made = 0

    def newcomer(self) -> Taker:
        return Taker(f"taker{self.random.getrandbits(64)}", self.random.randint(-500, 500))

    def fresh(self) -> Quota:
        quota = Quota([tier.window() for tier in self.tiers], LONGEST)
        return quota.load(json.loads(self.text)) if self.text else quota

    def write(self, taker: Taker, wanted: int, horizon: int, then: Callable[[Quota], object] | None = None) -> None:
        """One turn of a taker: load, report, take, store. The conditional write makes it one step."""
        quota = self.fresh()
        quota.advance(self.reading(taker), taker.frame if self.writer is taker else None)
        for slot, at in taker.ended:
            quota.ended(slot, at)
        for slot in taker.unused:
            quota.give_back(slot)
        slots, _ = quota.take(taker.owner, wanted, horizon)
        if then:
            then(quota)
        self.text, self.writer, taker.frame = json.dumps(quota.dump()), taker, quota.frame
        taker.ended.clear()
        taker.unused.clear()
        taker.held += slots

    def reading(self, taker: Taker) -> Reading:
        return Reading(self.now + taker.skew, self.now - self.begun)

    def pass_time(self, milliseconds: int, slowest: int) -> None:
        """Move on; takers start what is due, the provider counts what has arrived."""
        self.now += milliseconds
        for taker in self.takers:
            waiting = []
            for slot in taker.held:
                clock = slot.frame.low(self.reading(taker))
                if clock < slot.start:
                    waiting.append(slot)
                elif clock > slot.start + LATE:
                    taker.unused.append(slot)
                else:
                    duration = self.random.randint(0, min(slowest, LONGEST - LATE))
                    instant = self.now + self.random.choice((0, duration, self.random.uniform(0, duration)))
                    insort(self.calls, Call(self.now + duration, instant, slot, taker, clock + duration))
                    self.made += 1
            taker.held = waiting
        over = bisect_left(self.calls, self.now + 1, key=lambda call: call.end)
        for call in self.calls[:over]:
            self.provider.call(call.instant)
            if call.taker in self.takers:
                call.taker.ended.append((call.slot, call.stamp))
        del self.calls[:over]

    def finish(self) -> None:
        """Let every call on its way arrive."""
        for call in self.calls:
            self.provider.call(call.instant)
        self.calls = []
