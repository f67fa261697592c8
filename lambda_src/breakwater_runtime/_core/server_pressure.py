"""Giving connections back when the server runs short: those of frozen environments first, then the own one."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from breakwater_runtime.retry import jitter

if TYPE_CHECKING:
    from breakwater_runtime._core.session import Session
    from breakwater_runtime.environment import Settings
    from breakwater_runtime.metrics import Counters

# A session that its block has marked as idle, and that has been for so long, belongs to an environment that is frozen,
# gone, or seldom called. The server counts in whole seconds, so it may be one less.
ZOMBIE_SECONDS = 4
# How often an environment looks at the server; drawn anew each time, so that environments don't look together.
LOOK_SECONDS = (4.0, 12.0)
# On a full server it looks again sooner, at first after this, then after twice as long each time: another environment
# may be ending the zombies at this moment.
FULL_LOOK_SECONDS = 0.05


class ServerPressure:
    """What one environment knows of the server's connections.

    Attributes
    ----------
    full
        Whether more connections are in use than the utilization allows, as far as this environment knows.
    """

    def __init__(self, settings: Settings, counters: Counters) -> None:
        self._utilization = settings.utilization
        self._counters = counters
        # The server's sessions are the proxy's then, to keep and to end: that many of them are open says nothing.
        self._behind_proxy = settings.proxy
        self._next_look = 0.0
        self._pause = FULL_LOOK_SECONDS
        self.full = False

    def refused(self) -> None:
        """Note that the server refused a connection for want of one."""
        if self._behind_proxy:
            return
        self.full = True
        self._next_look = min(self._next_look, monotonic() + self._pause)

    def is_due(self) -> bool:
        """Tell whether it is time to look."""
        return not self._behind_proxy and monotonic() >= self._next_look

    async def look(self, session: Session) -> None:
        """Look how full the server is; above the utilization, end zombies of the own user."""
        # should this fail, the next one is not at once
        self._next_look = monotonic() + LOOK_SECONDS[0]
        used, limit = await session.usage()
        allowed = int(limit * self._utilization)
        if used > allowed:
            ended = await session.hunt(ZOMBIE_SECONDS)
            self._counters.zombies_ended += ended
            used -= ended
        self._counters.server_connections, self._counters.server_max_connections = used, limit
        self.full = used > allowed
        self._pause = min(self._pause * 2, LOOK_SECONDS[0]) if self.full else FULL_LOOK_SECONDS
        self._next_look = monotonic() + (jitter(0.5, 1.5) * self._pause if self.full else jitter(*LOOK_SECONDS))
