"""Within an invocation a session never looks idle for long, so that one that does lies between invocations.

A frozen environment runs no threads: its pulse stops by itself, and neither the server's timeouts nor another
environment's look at the process list can mistake a running invocation for a forgotten one.
"""

from __future__ import annotations

import threading
from time import sleep
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from breakwater_runtime._core.driver import Driver

# A session is pinged once it has been idle for IDLE_SECONDS, noticed at most INTERVAL_SECONDS later: well below
# server_pressure.ZOMBIE_SECONDS, so that an environment short of CPU may be late. Short blocks are never pinged.
INTERVAL_SECONDS = 0.5
IDLE_SECONDS = 1.0


class Pulse:
    """The pulse of one environment's connection."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._connection: Any = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, connection: Any) -> None:
        """Watch over a block that has begun."""
        self._connection = connection
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="breakwater-pulse", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Leave the connection alone: no ping is on its way when this returns."""
        with self._lock:
            self._connection = None

    def _run(self) -> None:
        while True:
            sleep(INTERVAL_SECONDS)
            with self._lock:
                if self._connection is not None:
                    self._driver.pulse(self._connection, IDLE_SECONDS)
