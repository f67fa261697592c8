"""Every few seconds: keep the ring hidden, and see whether a deployment has changed the tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plan import HEARTBEAT, LEASE

if TYPE_CHECKING:
    from .doorbell import Doorbell
    from .host import Host


class Heartbeat:
    """Of one dispatcher.

    Parameters
    ----------
    host, doorbell
        Of the dispatcher.

    Attributes
    ----------
    outdated
        The last deployment has other tiers.
    """

    def __init__(self, host: Host, doorbell: Doorbell) -> None:
        self._host = host
        self._doorbell = doorbell
        self._next = self._next_by_wall = 0
        self._seen = ""
        self.outdated = False

    def beat_if_due(self, token: str, *, joined: bool, superseded: bool) -> bool:
        """Return whether it was time.

        Whoever has stood still for a while, or sees that another has written, looks before it writes: it would bring
        the tiers of an earlier deployment back.

        Parameters
        ----------
        token
            Of the counter's last write.
        joined
            It has written the counter itself.
        superseded
            Another is awake in its place, which may be about to answer the same ring.
        """
        now = self._host.reading()
        unseen = not joined and self._seen != token
        if now.monotonic < self._next and now.wall < self._next_by_wall and not unseen:
            return False
        self._next, self._next_by_wall = now.monotonic + HEARTBEAT, now.wall + HEARTBEAT
        self._seen = token
        if not superseded:
            self._doorbell.hide(LEASE, now.wall)
        self.outdated = self.outdated or not self._doorbell.current()
        return True

    def until_next(self) -> int:
        """Milliseconds until it is time."""
        return self._next - self._host.reading().monotonic
