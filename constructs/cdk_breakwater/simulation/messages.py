"""Messages that wait in a queue, one by one: in any order, or in message groups of which each is in order."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Message(NamedTuple):
    """A message.

    Attributes
    ----------
    number
        In the order of arrivals.
    arrived
        When.
    key
        Its message group.
    is_bad
        Whether it fails each time.
    receives
        How often it has been received.
    """

    number: int
    arrived: float
    key: str
    is_bad: bool
    receives: int = 0


class Waiting:
    """The messages of a standard queue.

    Parameters
    ----------
    most_receives
        After which one is not received again; None for as often as it takes.
    """

    def __init__(self, most_receives: int | None) -> None:
        self._most = most_receives
        self._messages: deque[Message] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._messages)

    @property
    def is_ready(self) -> bool:
        """Whether one may be received."""
        return bool(self._messages)

    @property
    def blocked(self) -> int:
        """How many wait for one that failed."""
        return 0

    @property
    def oldest(self) -> float | None:
        """When the one arrived that has waited longest."""
        return self._messages[0].arrived if self._messages else None

    def add(self, message: Message) -> None:
        """Take one that was sent."""
        self._messages.append(message)

    def receive(self, size: int) -> tuple[list[Message], int]:
        """Hand out a batch; give how many were not, since they had been received too often."""
        batch: list[Message] = []
        lost = 0
        while self._messages and len(batch) < size:
            message = self._messages.popleft()
            if self._is_over(message):
                lost += 1
            else:
                batch.append(message._replace(receives=message.receives + 1))
        return batch, lost

    def end(self, done: Sequence[Message], failed: Sequence[Message]) -> None:
        """Hear what became of a batch: the rest of it is done, those that failed come again later."""

    def show(self, messages: Sequence[Message]) -> None:
        """Take back those that were received and are visible again."""
        self._messages.extend(messages)

    def _is_over(self, message: Message) -> bool:
        return self._most is not None and message.receives >= self._most


class GroupedMessages(Waiting):
    """The messages of a FIFO queue: while some of a group are in flight, or failed and not visible, its others wait.

    The group whose next message is the oldest comes first, and a batch is filled with as many of it as there are.
    Source: Amazon SQS Developer Guide, "FIFO queue delivery logic".
    """

    def __init__(self, most_receives: int | None) -> None:
        super().__init__(most_receives)
        self._groups: dict[str, deque[Message]] = {}
        self._ready: list[tuple[int, str]] = []  # groups of which nothing is in flight, by their first message
        self._in_flight: Counter[str] = Counter()
        self._blocked_groups: set[str] = set()
        self._blocked = self._count = 0
        self._times: list[tuple[int, float]] = []  # of those that wait, and of some that do no more
        self._numbers: set[int] = set()

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    @property
    def is_ready(self) -> bool:
        """Whether one may be received."""
        return bool(self._ready)

    @property
    def blocked(self) -> int:
        """How many wait for one that failed."""
        return self._blocked

    @property
    def oldest(self) -> float | None:
        """When the one arrived that has waited longest."""
        while self._times and self._times[0][0] not in self._numbers:
            heapq.heappop(self._times)
        return self._times[0][1] if self._times else None

    def add(self, message: Message) -> None:
        """Take one that was sent."""
        self._note(message)
        self._blocked += message.key in self._blocked_groups
        group = self._groups.setdefault(message.key, deque())
        group.append(message)
        if len(group) == 1:
            self._offer(message.key)

    def receive(self, size: int) -> tuple[list[Message], int]:
        """Hand out a batch; give how many were not, since they had been received too often."""
        batch: list[Message] = []
        lost = 0
        while self._ready and len(batch) < size:
            _, key = heapq.heappop(self._ready)
            group = self._groups[key]
            while group and len(batch) < size:
                message = group.popleft()
                self._count -= 1
                self._numbers.discard(message.number)
                if self._is_over(message):
                    lost += 1
                else:
                    self._in_flight[key] += 1
                    batch.append(message._replace(receives=message.receives + 1))
            self._offer(key)
        return batch, lost

    def end(self, done: Sequence[Message], failed: Sequence[Message]) -> None:
        """Hear what became of a batch: the rest of it is done, those that failed come again later."""
        for key in {message.key for message in failed} - self._blocked_groups:
            self._blocked_groups.add(key)
            self._blocked += len(self._groups[key])
        self._leave(done)

    def show(self, messages: Sequence[Message]) -> None:
        """Take back those that were received and are visible again, before the others of their group."""
        for key in {message.key for message in messages} & self._blocked_groups:
            self._blocked_groups.remove(key)
            self._blocked -= len(self._groups[key])
        for message in reversed(messages):
            self._note(message)
            self._groups[message.key].appendleft(message)
        self._leave(messages)

    def _note(self, message: Message) -> None:
        self._count += 1
        self._numbers.add(message.number)
        heapq.heappush(self._times, (message.number, message.arrived))

    def _leave(self, messages: Sequence[Message]) -> None:
        """Note that some are in flight no more."""
        for message in messages:
            self._in_flight[message.key] -= 1
        for key in {message.key for message in messages}:
            self._offer(key)

    def _offer(self, key: str) -> None:
        """Let a group be received again, or forget one of which nothing is left."""
        group = self._groups[key]
        if self._in_flight[key]:
            return
        del self._in_flight[key]
        if group:
            heapq.heappush(self._ready, (group[0].number, key))
        else:
            del self._groups[key]
