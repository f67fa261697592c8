"""The queues in which the release before kept its backlog: in order, nothing is called before they are empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .counter import Counter
    from .settings import Settings

SETTLED = 60_000
"""Milliseconds. Counts settle within a minute after the last message was sent (Amazon SQS API Reference,
"GetQueueAttributes")."""


class FormerQueues:
    """What may still lie there.

    Parameters
    ----------
    settings, client
        Of the dispatcher; the client is SQS's.
    """

    def __init__(self, settings: Settings, client: Any) -> None:
        self._settings = settings
        self._client = client
        self._empty_since: int | None = None

    def hold_up(self, counter: Counter, now: int) -> bool:
        """Tell whether calls have to wait for them, at an instant of the monotonic clock (ms)."""
        if not counter.migrating:
            return False
        if not self._settings.ordered or self._drained(now):
            counter.migrating = False
        return counter.migrating

    def _drained(self, now: int) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        for queue in self._settings.former:
            found = self._client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            if any(int(found[name]) for name in names):
                self._empty_since = None
                return False
        if self._empty_since is None:
            self._empty_since = now
        return now - self._empty_since > SETTLED
