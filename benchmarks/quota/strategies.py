"""Ways to keep to a quota: each says which calls may start, and learns when they ended."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from handlers.quota_dispatcher.clocks import Frame, Reading
from handlers.quota_dispatcher.plan import AHEAD, FULL_TURN, TURN
from handlers.quota_dispatcher.quota import Quota
from handlers.quota_dispatcher.rolling_window import RollingWindow

from .world import RECEIVES, VISIBILITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handlers.quota_dispatcher.grants import Slot

Tiers = tuple[tuple[int, int], ...]
Starts = list[tuple[float, Any]]
EPOCH = 1_800_000_000_000


class Strategy:
    """What they have in common: a call that was refused goes back, and nobody counts it as a failure."""

    name = ""
    writes = 0
    managed = False
    """AWS runs it: there is no dispatcher that could die, or whose time is paid."""

    def __init__(self, tiers: Tiers) -> None:
        self.tiers = tiers

    def poll(self, now: float, free: int) -> tuple[Starts, float]:
        """Return the calls that may start, and when to ask again."""
        raise NotImplementedError

    def ended(self, slot: Any, now: float) -> None:
        """Hear that a call has ended."""

    def unused(self, slot: Any) -> None:
        """Take a slot back."""

    def crash(self, now: float) -> None:
        """Lose what is kept in memory."""

    def refused(self, now: float, receives: int) -> float | None:
        """Return after how long a refused message comes back; None when it is lost, -1 when it is dead-lettered."""
        del now, receives
        return 1_000


class Breakwater(Strategy):
    """The library's own: `Quota`, driven as the dispatcher drives it."""

    name = "QuotaThrottledInvocation"

    def __init__(self, tiers: Tiers) -> None:
        super().__init__(tiers)
        self._state: dict[str, Any] = {}
        self._frame: Frame | None = None
        self._owner = 0
        self._reports: list[tuple[Slot, int | None]] = []

    def _load(self) -> Quota:
        quota = Quota([RollingWindow(*tier) for tier in self.tiers], longest_call=18_000)
        return quota.load(json.loads(json.dumps(self._state))) if self._state else quota

    def poll(self, now: float, free: int) -> tuple[Starts, float]:
        if free < 1:
            return [], 20
        quota = self._load()
        quota.advance(Reading(EPOCH + int(now), int(now)), self._frame)
        for slot, end in self._reports:
            quota.give_back(slot) if end is None else quota.ended(slot, end)
        self._reports = []
        slots, next_start = quota.take(f"owner{self._owner}", free, AHEAD)
        self._state, self._frame = quota.dump(), quota.frame
        self.writes += 1
        pause: float = FULL_TURN if len(slots) == free else TURN
        if next_start is not None:
            pause = max(TURN, next_start - quota.clock - AHEAD)
        return [(slot.wall - EPOCH, slot) for slot in slots], pause

    def ended(self, slot: Slot, now: float) -> None:
        self._reports.append((slot, slot.frame.high(Reading(EPOCH + int(now) + 1, int(now) + 1))))

    def unused(self, slot: Slot) -> None:
        self._reports.append((slot, None))

    def crash(self, now: float) -> None:
        del now
        self._owner += 1
        self._frame = None
        self._reports = []


class TokenBuckets(Strategy):
    """A token bucket per tier, in one item that every call updates."""

    name = "token bucket per tier"

    def __init__(self, tiers: Tiers) -> None:
        super().__init__(tiers)
        self._buckets = [[float(limit), 0.0] for limit, _ in tiers]

    def poll(self, now: float, free: int) -> tuple[Starts, float]:
        starts: Starts = []
        for _ in range(free):
            wait = 0.0
            for bucket, (limit, period) in zip(self._buckets, self.tiers, strict=True):
                bucket[0] = min(limit, bucket[0] + (now - bucket[1]) * limit / period)
                bucket[1] = now
                wait = max(wait, (1 - bucket[0]) * period / limit)
            if wait > 0:
                return starts, wait
            for bucket in self._buckets:
                bucket[0] -= 1
            self.writes += 1
            starts.append((now, None))
        return starts, 20


class ZaeLimiter(Strategy):
    """zae-limiter's bucket arithmetic; its acquire is one conditional write for all limits, at least."""

    name = "zae-limiter"

    def __init__(self, tiers: Tiers) -> None:
        super().__init__(tiers)
        from zae_limiter.models import BucketState, Limit  # pyrefly: ignore[missing-import] -- of the benchmark alone

        self._states = [
            BucketState.from_limit(
                "crm",
                "api",
                Limit(name=f"t{period}", capacity=limit, refill_amount=limit, refill_period_seconds=period // 1000),
                EPOCH,
            )
            for limit, period in tiers
        ]

    def poll(self, now: float, free: int) -> tuple[Starts, float]:
        from dataclasses import replace

        from zae_limiter.bucket import try_consume  # pyrefly: ignore[missing-import] -- of the benchmark alone

        starts: Starts = []
        for _ in range(free):
            results = [try_consume(state, 1, EPOCH + int(now)) for state in self._states]
            if not all(result.success for result in results):
                return starts, max(1.0, *(1000 * result.retry_after_seconds for result in results))
            self._states = [
                replace(state, tokens_milli=result.new_tokens_milli, last_refill_ms=result.new_last_refill_ms)
                for state, result in zip(self._states, results, strict=True)
            ]
            self.writes += 1
            starts.append((now, None))
        return starts, 20


class PyrateLimiter(Strategy):
    """pyrate-limiter's sliding log, in the memory of the process."""

    name = "pyrate-limiter (in memory)"

    def __init__(self, tiers: Tiers) -> None:
        super().__init__(tiers)
        self.crash(0)

    def crash(self, now: float) -> None:
        del now
        from pyrate_limiter import InMemoryBucket, Rate  # pyrefly: ignore[missing-import] -- of the benchmark alone

        self._bucket = InMemoryBucket([Rate(limit, period) for limit, period in self.tiers])

    def poll(self, now: float, free: int) -> tuple[Starts, float]:
        from pyrate_limiter import RateItem  # pyrefly: ignore[missing-import] -- of the benchmark alone

        starts: Starts = []
        self._bucket.leak(int(now))
        for _ in range(free):
            item = RateItem("call", int(now))
            if not self._bucket.put(item):
                return starts, max(1, self._bucket.waiting(item))
            starts.append((now, None))
        return starts, 20


class MaximumConcurrency(Strategy):
    """SQS with MaximumConcurrency 2, the least there is: the function tries, and fails on a 429."""

    name = "SQS, MaximumConcurrency 2"
    managed = True

    def __init__(self, tiers: Tiers) -> None:
        super().__init__(tiers)
        self._running = 0

    def poll(self, now: float, free: int) -> tuple[Starts, float]:
        room = min(free, 2 - self._running)
        self._running += room
        return [(now, None)] * room, 5

    def ended(self, slot: Any, now: float) -> None:
        del slot, now
        self._running -= 1

    def unused(self, slot: Any) -> None:
        self.ended(slot, 0)

    def crash(self, now: float) -> None:
        del now
        self._running = 0

    def refused(self, now: float, receives: int) -> float | None:
        del now
        return -1 if receives >= RECEIVES else VISIBILITY


class ApiDestination(Strategy):
    """EventBridge API destinations: the tightest rate per second there is, retries for 24 h and 185 times."""

    name = "EventBridge API destination"
    managed = True

    def __init__(self, tiers: Tiers) -> None:
        super().__init__(tiers)
        # Only calls per second can be said. What a longer tier grants per second counts from 1 up.
        rates = [limit * 1000 / period for limit, period in tiers]
        self._gap = 1000 / min(int(rate) for rate in rates if rate >= 1)
        self._next = 0.0
        self._random = random.Random(3)  # noqa: S311 -- jitter

    def poll(self, now: float, free: int) -> tuple[Starts, float]:
        starts: Starts = []
        while len(starts) < free and max(now, self._next) < now + 1_000:
            start = max(now, self._next)
            starts.append((start, None))
            self._next = start + self._gap
        return starts, 100

    def refused(self, now: float, receives: int) -> float | None:
        # EventBridge User Guide, "Retry policy": exponential backoff with jitter, 185 tries, 24 hours. The curve itself
        # is not published: doubling from 1 s to an hour here.
        if receives >= 185 or now > 86_400_000:
            return None
        return min(3_600_000, 1_000 * 2 ** min(receives, 12)) * self._random.uniform(0.5, 1)


def strategies() -> Sequence[type[Strategy]]:
    """All of them."""
    return (Breakwater, TokenBuckets, ZaeLimiter, PyrateLimiter, MaximumConcurrency, ApiDestination)
