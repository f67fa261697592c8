"""A ring: a message in the doorbell queue that says that there is, or will be, something to do.

Rings are hints. A ring that is lost, late or doubled costs a moment or a request; the right to call comes from the
counter alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

LONGEST_DELAY = 900
"""Seconds. Amazon SQS API Reference, "SendMessage": DelaySeconds is at most 900."""


@dataclass(frozen=True)
class Ring:
    """What the doorbell's mapping hands over.

    Attributes
    ----------
    id
        The same for as long as it is sent on.
    due
        When it is for (Unix ms); 0: now.
    message, handle
        The message id and the receipt handle.
    over
        The token of the counter that its sender was about to write over, to say that this ring comes; else empty.
    counter
        Which of several.
    """

    id: str
    due: int
    message: str
    handle: str
    over: str = ""
    counter: int = 0

    @classmethod
    def read(cls, record: dict[str, Any]) -> Ring:
        """Read a record. The release before rang with a plain id."""
        try:
            content = json.loads(record["body"])
            id_, due, over, counter = content["id"], content["due"], content.get("over", ""), content.get("counter", 0)
        except (ValueError, TypeError, KeyError):
            id_, due, over, counter = record["body"], 0, "", 0
        return cls(id_, due, record["messageId"], record["receiptHandle"], over, counter)


def new_id() -> str:
    """Return an id for a new ring."""
    return os.urandom(16).hex()


def send_ring(client: Any, queue: str, id: str, due: int, now: int, *, counter: int, over: str = "") -> None:
    """Ring for a counter when it is due, rounded down to a second, or in 15 minutes, to be sent on then."""
    delay = min(LONGEST_DELAY, max(0, due - now) // 1000)
    which = {"counter": counter} if counter else {}
    body = json.dumps({"id": id, "due": due, "over": over, **which})
    client.send_message(QueueUrl=queue, MessageBody=body, DelaySeconds=delay)
