"""What becomes of a ring that a dispatcher was started for: it is answered, sent on, kept, or it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plan import ELSEWHERE

if TYPE_CHECKING:
    from .doorbell import Doorbell
    from .host import Host
    from .metrics import Metrics
    from .ring import Ring
    from .settings import Settings
    from .store import Item, Presence


class Arrival:
    """Looks at the counter's item for one ring.

    Parameters
    ----------
    settings, ring, host, doorbell, metrics
        Of the dispatcher.
    """

    def __init__(self, settings: Settings, ring: Ring, host: Host, doorbell: Doorbell, metrics: Metrics) -> None:
        self._settings = settings
        self._ring = ring
        self._host = host
        self._doorbell = doorbell
        self._metrics = metrics

    def verdict(self, item: Item) -> bool | None:
        """Tell whether the ring can go (True), must stay (False), or is to be answered (None)."""
        now = self._host.reading().wall
        presence = item.presence
        if item.first_release is not None:
            return None  # A dispatcher of the release before knows nothing of the shelf.
        mine = presence.ring == self._ring.id
        if presence.until > now and not mine:
            return self._beside(item, presence, now)
        if mine and self._ring.due - now > 2 * ELSEWHERE:
            counter = item.counter(self._settings)
            if not counter.holds(self._settings.tiers, self._settings.key_tiers):
                return None  # Its time may come earlier than was known.
            self._metrics.flush(item, counter, self._host.reading())
            self._doorbell.ring(self._ring.id, self._ring.due, now)
            return True
        return None

    def _beside(self, item: Item, presence: Presence, now: int) -> bool | None:
        """Tell it of one that comes while somebody is awake, or while another ring is on its way."""
        if self._ring.over and self._ring.over == item.token:
            # Whoever sent it is about to write that it comes, however long that takes, and then it must be there.
            self._doorbell.hide(0, now)
            return False
        if presence.holder and presence.ring == self._ring.message:
            # The same ring twice: its holder is awake, or has died just now. It must not be lost.
            self._doorbell.hide(presence.until - now, now)
            return False
        news = item.filed > item.counter(self._settings).seen  # of which who left last knew nothing
        # If each that comes were followed by another one, they would never end.
        return True if presence.holder or presence.resting_until > now or not news else None
