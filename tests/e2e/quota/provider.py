"""A third party on loopback: it counts the calls of every rolling window, and answers 429 beyond its quota."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

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


class Provider(Ledger):
    """Serves as long as the block lasts."""

    def __init__(self, tiers: list[tuple[int, float]]) -> None:
        super().__init__(tiers)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, wait = provider.answer(body)
                self.send_response(status)
                if wait:
                    self.send_header("Retry-After", str(ceil(wait)))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
                del format, args

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/calls"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


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
