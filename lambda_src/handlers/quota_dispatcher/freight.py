"""How much memory messages take while they are called: no more than the function has."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from threading import Lock
from typing import TYPE_CHECKING, Any

from .gate import LOOK, Gate

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
"""MB. AWS Lambda Developer Guide, "Using Lambda environment variables"."""
_WITHOUT = 160_000_000
"""What the process takes without any: itself, the pages that it keeps, those that it reads, and what is made of one."""
_COPIES = 2
"""The HTTP client puts its header before a body, so it makes another one."""
_RECORD = 2_000
"""What a record takes beside its body and attributes: about 20 small objects."""

_MMAP_THRESHOLD = -3
"""`M_MMAP_THRESHOLD` of malloc.h."""


def give_back_what_is_freed() -> None:
    """Let glibc return each large block when it is freed.

    Otherwise it keeps some for later, in each of many threads: with messages of 1 MiB, 391 MB in place of 130.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 17)


def memory_of(record: dict[str, Any]) -> int:
    """Return about how many bytes a message takes: one emoji lets each character of its text take four."""
    attributes = record.get("messageAttributes")
    return _RECORD + sys.getsizeof(record["body"]) + (len(json.dumps(attributes)) if attributes else 0)


def freight_room() -> int:
    """Return how many bytes there are for messages that are called, by the memory of this function."""
    return 1_000_000 * int(os.environ.get(MEMORY, "512")) - _WITHOUT


class Freight:
    """Makes the events of calls, and counts them. Its methods may be called by several threads.

    Parameters
    ----------
    room
        Bytes, at most. One message has room in any case.
    sleep
        Waits for so many milliseconds.

    Attributes
    ----------
    messages, answers
        To be entered by who works with one. Who does with a message may wait there for the end of a call.
    """

    def __init__(self, room: int, sleep: Callable[[int], None]) -> None:
        self._room = room
        self._sleep = sleep
        self._taken = 0
        self._lock = Lock()
        self.messages, self.answers = Gate(sleep), Gate(sleep)

    def take(self, record: dict[str, Any], too_late: Callable[[], bool]) -> bytes | None:
        """Make the event with a message, and wait until there is room for it; None if that is too late."""
        payload = json.dumps({"Records": [record]}, ensure_ascii=False).encode(errors="surrogatepass")
        while not self._fits(len(payload)):
            if too_late():
                return None
            self._sleep(LOOK)
        return payload

    def give_back(self, payload: bytes) -> None:
        """Give back the room of an event."""
        with self._lock:
            self._taken -= _COPIES * len(payload)

    def _fits(self, length: int) -> bool:
        size = _COPIES * length
        with self._lock:
            fits = not self._taken or self._taken + size <= self._room
            self._taken += size if fits else 0
        return fits
