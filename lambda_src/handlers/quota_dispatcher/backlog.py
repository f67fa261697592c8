"""The messages that wait for their turn, in one queue per lane."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import Settings

_BATCH = 10  # Amazon SQS Developer Guide: at most 10 messages per ReceiveMessage
_LONGEST_REASON = 500
_MESSAGE_ATTRIBUTES = 10  # Lambda and SQS pass on at most 10 per message
_EMPTY_MILLISECONDS = 250
LATEST_RETRY_SECONDS = 900
OLD = 7 * 86_400_000
"""Messages that have waited for so long (ms) are sent anew when there is time: SQS drops them after 14 days."""


@dataclass(frozen=True)
class Message:
    """What SQS returned, the lane it came from, and when (Unix ms)."""

    content: dict[str, Any]
    lane: str
    received: int

    @property
    def sent(self) -> int:
        """When it was sent to the lane (Unix ms)."""
        return int(self.content["Attributes"]["SentTimestamp"])


class Backlog:
    """Receives round-robin from the lanes, the priority lane first."""

    def __init__(self, client: Any, settings: Settings, visibility_seconds: int) -> None:
        self._client = client
        self._settings = settings
        self._visibility = visibility_seconds
        self._priority = settings.lanes[:1] if settings.priority else []
        self._turns = deque(settings.lanes[len(self._priority) :])
        self._empty_until: dict[str, int] = {}

    def receive(self, wanted: int, now: int, *, wait: bool) -> list[Message]:
        """Receive up to ``wanted`` messages.

        Parameters
        ----------
        wait
            Nothing else is going on: wait a second for the first message. A long poll also asks all of SQS's servers,
            where a short one may miss a message.
        """
        messages: list[Message] = []
        others = len(self._turns)
        for lane in [*self._priority, *self._turns]:
            left = wanted - len(messages)
            if left and (wait or self._empty_until.get(lane, 0) <= now):
                # Each lane in its turn gets its part, and what others leave over.
                part = left if lane in self._priority else -(-left // others)
                found = self._receive(lane, part, 1 if wait and not messages else 0)
                if not found:
                    self._empty_until[lane] = now + _EMPTY_MILLISECONDS
                messages += [Message(content, lane, now) for content in found]
            others -= lane not in self._priority
        self._turns.rotate(-1)
        return messages

    def delete(self, message: Message) -> None:
        """Forget a message that is done."""
        self._client.delete_message(QueueUrl=message.lane, ReceiptHandle=message.content["ReceiptHandle"])

    def retry(self, message: Message, seconds: int) -> None:
        """Let a message be received again, not before then; a FIFO group waits with it."""
        self._client.change_message_visibility(
            QueueUrl=message.lane, ReceiptHandle=message.content["ReceiptHandle"], VisibilityTimeout=seconds
        )

    def bury(self, message: Message, reason: str, failures: int) -> None:
        """Move a message to the dead-letter queue, with the reason."""
        attributes = dict(list(message.content.get("MessageAttributes", {}).items())[: _MESSAGE_ATTRIBUTES - 2])
        attributes["Reason"] = {"DataType": "String", "StringValue": reason[:_LONGEST_REASON]}
        attributes["Failures"] = {"DataType": "Number", "StringValue": str(failures)}
        group = (
            {
                "MessageGroupId": message.content["Attributes"]["MessageGroupId"],
                "MessageDeduplicationId": message.content["MessageId"],
            }
            if self._settings.ordered
            else {}
        )
        self._client.send_message(
            QueueUrl=self._settings.dead_letters,
            MessageBody=message.content["Body"],
            MessageAttributes=attributes,
            **group,
        )
        self.delete(message)

    def renew(self, now: int, leave_at: Callable[[], bool]) -> int:
        """Send old messages anew, so that SQS doesn't drop them; return how many.

        Only where order doesn't matter: a message that is sent anew stands at the end of its queue.
        """
        renewed = 0
        for lane in [] if self._settings.ordered else self._settings.lanes:
            found = True
            while found and not leave_at():
                messages = [Message(content, lane, now) for content in self._receive(lane, _BATCH, 0)]
                old = [message for message in messages if now - message.sent > OLD]
                for message in messages:
                    if now - message.sent > OLD:
                        self._send_anew(message)
                    else:
                        self.retry(message, 0)
                renewed += len(old)
                found = bool(old)
        return renewed

    def _send_anew(self, message: Message) -> None:
        group = message.content["Attributes"].get("MessageGroupId")
        self._client.send_message(
            QueueUrl=message.lane,
            MessageBody=message.content["Body"],
            MessageAttributes=message.content.get("MessageAttributes", {}),
            **({"MessageGroupId": group} if group else {}),
        )
        self.delete(message)

    def waiting(self) -> tuple[int, int]:
        """Return how many messages are visible, and how many come back or become visible later."""
        visible = hidden = 0
        for lane in self._settings.lanes:
            found = self._client.get_queue_attributes(
                QueueUrl=lane,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
            visible += int(found["ApproximateNumberOfMessages"])
            hidden += int(found["ApproximateNumberOfMessagesNotVisible"])
        return visible, hidden

    def _receive(self, lane: str, wanted: int, wait: int) -> list[dict[str, Any]]:
        # In order: one at a time, since SQS locks a group while one of its messages is out, and would otherwise hand
        # out the next ones along with it, to be put back when the first one fails.
        rounds = min(wanted, _BATCH) if self._settings.ordered else 1
        messages: list[dict[str, Any]] = []
        for _ in range(rounds):
            found = self._client.receive_message(
                QueueUrl=lane,
                MaxNumberOfMessages=1 if self._settings.ordered else min(_BATCH, wanted),
                WaitTimeSeconds=0 if messages else wait,
                VisibilityTimeout=self._visibility,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not found:
                break
            messages += found
        return messages


def record(message: Message) -> dict[str, Any]:
    """Return a message as an event source mapping would hand it to a function."""
    return {
        "messageId": message.content["MessageId"],
        "receiptHandle": message.content["ReceiptHandle"],
        "body": message.content["Body"],
        "attributes": message.content.get("Attributes", {}),
        "messageAttributes": {
            name: {key[0].lower() + key[1:]: _text(value) for key, value in attribute.items()}
            for name, attribute in message.content.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.content.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": message.lane,
    }


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        from base64 import b64encode

        return b64encode(value).decode()
    return value
