"""A third party on loopback: it counts the calls of every rolling window, and answers 429 beyond its quota."""

from __future__ import annotations

import json
import threading
import time
from math import ceil

from tests.e2e.quota.loopback import LoopbackServer, QuietHandler

WARM_UP = "warm up"
"""The body of a call that doesn't count."""


class Ledger:
    """What is granted to one account, and what its calls have met with.

    Attributes
    ----------
    accepted
        Instant and body of every call within the quota, in order.
    refused
        How many calls were answered with 429.
    warmed
        Instant of the last call that doesn't count.
    failing
        Bodies to be answered with 500.
    """

    def __init__(self, tiers: list[tuple[int, float]]) -> None:
        self.tiers = tiers
        self.accepted: list[tuple[float, str]] = []
        self.refused = 0
        self.failing: set[str] = set()
        self.closed_until = 0.0
        self.closes_for = 0.0
        self.warmed = 0.0
        self._lock = threading.Lock()

    def answer(self, body: str) -> tuple[int, float]:
        """Return the status of a call, and for how long (s) nothing is accepted."""
        now = time.monotonic()
        with self._lock:
            if body == WARM_UP:
                self.warmed = now
                return 200, 0
            full = any(sum(at > now - period for at, _ in self.accepted) >= limit for limit, period in self.tiers)
            if self.closes_for:  # from the first call on
                self.closed_until, self.closes_for = now + self.closes_for, 0.0
            if full or now < self.closed_until:
                self.refused += 1
                return 429, max(1.0, self.closed_until - now)
            self.accepted.append((now, body))
            return (500 if body in self.failing else 200), 0


class Provider(Ledger, LoopbackServer):
    """Serves as long as the block lasts."""

    def __init__(self, tiers: list[tuple[int, float]]) -> None:
        Ledger.__init__(self, tiers)
        provider = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:  # noqa: N802 -- http.server calls it by this name
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, wait = provider.answer(body)
                self.send_response(status)
                if wait:
                    self.send_header("Retry-After", str(ceil(wait)))
                self.send_header("Content-Length", "0")
                self.end_headers()

        LoopbackServer.__init__(self, Handler)

    @property
    def url(self) -> str:
        return f"{super().url}/calls"


class KeyedProvider(Provider):
    """Grants each tenant, whom a body names, tiers of its own below those of all."""

    def __init__(self, tiers: list[tuple[int, float]], each: list[tuple[int, float]], tenants: list[str]) -> None:
        super().__init__(tiers)
        self.tenants = {tenant: Ledger(each) for tenant in tenants}

    def answer(self, body: str) -> tuple[int, float]:
        of_tenant = self.tenants[json.loads(body)["tenant"]].answer(body)
        if of_tenant[0] == 429:
            return of_tenant
        of_all = super().answer(body)
        return of_all if of_all[0] == 429 else of_tenant


def most(instants: list[float], period: float) -> int:
    """Most calls in any window of this length."""
    return max(sum(start <= other < start + period for other in instants) for start in instants)
