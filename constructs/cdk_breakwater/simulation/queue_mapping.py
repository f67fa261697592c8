"""An event source mapping between a standard SQS queue and a function.

Sources: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", "Configuring scaling behavior for SQS" and
"Handling errors for an SQS event source in Lambda"; Amazon SQS Developer Guide, "Using dead-letter queues in Amazon
SQS".
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from .entries import POLLERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .invocation import Invoke


@dataclass(frozen=True)
class QueueMapping:
    """The limits of a mapping and of its queue.

    Attributes
    ----------
    batch_size, maximum_concurrency
        Of the mapping.
    max_receive_count
        Receives after which SQS moves a message to the dead-letter queue.
    visibility_timeout
        Seconds after which a message that was not deleted comes again.
    """

    batch_size: int
    maximum_concurrency: int
    max_receive_count: int
    visibility_timeout: float


@dataclass
class QueueHistory:
    """What became of the messages.

    Attributes
    ----------
    done
        Messages and when each was deleted, in seconds from the start.
    dead_lettered
        Messages in the dead-letter queue, and how often each had been begun.
    seconds
        When the last invocation ended.
    """

    done: dict[int, float] = field(default_factory=dict)
    dead_lettered: dict[int, int] = field(default_factory=dict)
    seconds: float = 0

    @property
    def untried(self) -> int:
        """Messages that were given up without having been begun once."""
        return sum(not begun for begun in self.dead_lettered.values())

    def done_between(self, start: float, end: float) -> int:
        """Count what was deleted within a time."""
        return sum(start < at <= end for at in self.done.values())


def drain(mapping: QueueMapping, messages: int, invoke: Invoke, *, seed: int, until: float = math.inf) -> QueueHistory:
    """Let a mapping read a queue until nothing is left in it.

    Parameters
    ----------
    mapping
        Its limits.
    messages
        How many wait at the start, numbered from 0.
    invoke
        The function.
    seed
        Of the order of delivery, which a standard queue does not keep.
    until
        When to stop, in seconds. Default: when nothing is left.
    """
    chance, history = Random(seed), QueueHistory()  # noqa: S311 -- an order of delivery
    visible, receives, begun = list(range(messages)), Counter[int](), Counter[int]()
    chance.shuffle(visible)
    events: list[tuple[float, int, Sequence[int], bool]] = []  # when, position, messages, whether a batch ends
    running = position = 0
    now = 0.0
    while (visible or events) and now <= until:
        allowed = min(mapping.maximum_concurrency, int(POLLERS.first + now * POLLERS.more_per_second))
        while visible and running < allowed:
            batch = _receive(mapping, visible, receives, begun, history)
            if not batch:
                continue
            outcome = invoke(batch)
            begun.update(outcome.begun)
            ended = now + outcome.seconds
            failed = set(batch if outcome.error else outcome.failed)
            history.done.update((message, ended) for message in batch if message not in failed)
            position += 2
            heapq.heappush(events, (ended, position, (), True))
            heapq.heappush(events, (now + mapping.visibility_timeout, position + 1, tuple(failed), False))
            running += 1
        if not events:
            break
        if visible and running < mapping.maximum_concurrency and events[0][0] > now + 1:
            now += 1  # more batches at once are allowed by then
            continue
        now, _, back, ends = heapq.heappop(events)
        if ends:
            running -= 1
            history.seconds = now
        for message in back:
            visible.insert(chance.randint(0, len(visible)), message)
    return history


def _receive(
    mapping: QueueMapping, visible: list[int], receives: Counter[int], begun: Counter[int], history: QueueHistory
) -> list[int]:
    batch: list[int] = []
    while visible and len(batch) < mapping.batch_size:
        message = visible.pop()
        if receives[message] == mapping.max_receive_count:
            history.dead_lettered[message] = begun[message]
            continue
        receives[message] += 1
        batch.append(message)
    return batch
