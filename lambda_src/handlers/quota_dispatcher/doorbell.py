"""What a dispatcher does with its ring and the ring's queue while it is awake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .aws_errors import AwsError
from .log import log
from .plan import HEARTBEAT, LEASE
from .ring import new_id, send_ring
from .tiers import TAG, fingerprint

if TYPE_CHECKING:
    from .ring import Ring
    from .settings import Settings

_GONE = ("InvalidParameterValue", "ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight")
"""Amazon SQS API Reference, "ChangeMessageVisibility", Errors; the first for a message that was deleted. A handle from
before another delivery may get it, too, or still work."""


class Doorbell:
    """The queue of rings, for the one who answers one of them.

    Parameters
    ----------
    settings, client, ring
        Of the dispatcher; the client is SQS's.
    """

    def __init__(self, settings: Settings, client: Any, ring: Ring) -> None:
        self._settings = settings
        self._client = client
        self._ring = ring

    def hide(self, milliseconds: int, now: int) -> None:
        """Let the ring come back a second after a lease has ended; if it isn't there, ring in its place (Unix ms).

        It was delivered twice, and another delivery is over. If its holder died, nobody else would come; while somebody
        is awake, the one in its place goes.
        """
        try:
            if not self._hidden(2 + milliseconds // 1000):
                log("the ring is gone: another one comes in its place")
                self.ring(new_id(), now + LEASE + 2 * HEARTBEAT, now)
        except AwsError as error:  # It comes back too early, is answered, and dies.
            log("hiding the ring failed", error=repr(error))

    def _hidden(self, seconds: int) -> bool:
        """Hide the ring; False when SQS says that it isn't there."""
        try:
            self._client.change_message_visibility(
                QueueUrl=self._settings.doorbell, ReceiptHandle=self._ring.handle, VisibilityTimeout=seconds
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return False
            raise
        return True

    def ring(self, id: str, due: int, now: int, *, over: str = "") -> None:
        """Ring for the next dispatcher, when it is due (Unix ms); `over` as `Ring` has it."""
        send_ring(self._client, self._settings.doorbell, id, due, now, counter=self._ring.counter, over=over)

    def current(self) -> bool:
        """Tell whether the last deployment's tiers are those of this process."""
        try:
            tags = self._client.list_queue_tags(QueueUrl=self._settings.doorbell).get("Tags", {})
        except AwsError as error:
            log("reading the tags failed", error=repr(error))
            return True
        mine = fingerprint(self._settings.all_tiers)
        return tags.get(TAG, mine) == mine
