"""Where requests come in: APIs, callers, queues and streams, with the limits that they bring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .failing import Failing
from .keys import keys_of_messages
from .quota import Quota

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .load import Load

THROTTLED_RETRY_SECONDS, LONGEST_THROTTLED_RETRY_SECONDS, MOST_AGE_SECONDS = 1, 300, 21_600
"""An asynchronous event that finds no room comes again after 1 s, then ever later up to 5 minutes, for 6 hours.

Source of this and the next: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
invocation".
"""
THROTTLED_RETRY_SPREAD = (0.5, 1.5)
"""Of that delay; AWS does not say by how much, but events that came together do not come again together."""
FAILED_RETRY_SECONDS = (60, 120)
"""An asynchronous event whose invocation failed comes again after 1 minute, then after 2 more, then no more."""


@dataclass(frozen=True)
class Bucket:
    """A token bucket: of a stage, or of an account's APIs together.

    Attributes
    ----------
    name
        Whose it is.
    rate
        Tokens per second.
    burst
        The most that it holds, as which it begins.
    """

    name: str
    rate: float
    burst: float


@dataclass(frozen=True)
class Api:
    """An API whose requests wait for the function; each takes a token of every bucket."""

    name: str
    function: str
    load: Load
    buckets: tuple[Bucket, ...]


@dataclass(frozen=True)
class Direct:
    """Invocations of a function without anything between: whoever calls waits for the answer, or does not."""

    name: str
    function: str
    load: Load
    waits: bool


@dataclass(frozen=True)
class Pollers:
    """How a mapping of a queue grows.

    Attributes
    ----------
    first, more_per_second
        Batches in work at once at the beginning, and how many more each second while messages wait.
    most
        Of a mapping without MaximumConcurrency.
    """

    first: float
    more_per_second: float
    most: int


POLLERS = Pollers(5, 300 / 60, 1_250)
"""Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS"."""
FIFO_POLLERS = Pollers(math.inf, 0, POLLERS.most)
"""As many as there are message groups. Source: the same, which names no other limit; a standard queue's is taken."""


@dataclass(frozen=True)
class Queue:
    """A standard queue and its mapping.

    Attributes
    ----------
    name, function
        Of the queue, and the function that the mapping calls.
    load
        The messages that are sent.
    batch_size
        Of the mapping.
    maximum_concurrency
        Of the mapping; None where it has none.
    visibility_timeout
        In seconds.
    max_receive_count
        Receives after which a message goes to the dead-letter queue; None without one.
    reports_failures
        Whether the function says which messages of a batch failed, so that the others are done.
    failing
        The part of messages that fail each time; they come at equal distances among the others.
    pollers
        How the mapping grows.
    retention
        Seconds after which a message is deleted that still waits. It is not: what waits longer is told.
    keys
        How many message groups or partition keys there are, which all come equally often; None where each message has
        one of its own. A standard queue has no use for them.
    """

    name: str
    function: str
    load: Load
    batch_size: int
    maximum_concurrency: int | None
    visibility_timeout: float
    max_receive_count: int | None
    reports_failures: bool = False
    failing: float = 0.0
    pollers: Pollers = POLLERS
    retention: float = math.inf
    keys: int | None = None

    def contents(self, chance: Random) -> Iterator[tuple[str, bool]]:
        """Give the key of each message, and whether it fails each time."""
        failing = Failing(self.failing)
        return ((key, failing.next_one()) for key in keys_of_messages(self.keys, chance))

    @property
    def most_batches(self) -> int:
        """How many batches are in work at once, at most."""
        return self.maximum_concurrency or self.pollers.most

    def visible_again(self, received: float, ended: float) -> float:
        """Give when a message comes again whose invocation failed."""
        return max(ended, received + self.visibility_timeout)

    @property
    def first_batches(self) -> float:
        """How many are at the beginning."""
        return min(self.pollers.first, self.most_batches)


@dataclass(frozen=True)
class Fifo(Queue):
    """A FIFO queue: of a message group, one batch at a time is in work, and those behind a message that fails wait.

    A function that reports failures reports the rest of the group with it, as the order asks for.
    """


@dataclass(frozen=True)
class Stream(Queue):
    """A stream whose shards are read in so many lanes each, one batch of a lane at a time.

    What fails is tried again at once by its lane, and what is throttled waits in it; nothing comes back to a queue.

    Attributes
    ----------
    shards, factor
        Its shards, and the lanes of each.
    splits
        Whether a batch is split in two after an error. A function that reports failures then ends with an error where
        the first of several records fails, as `breakwater_runtime.batch` does, so that this one comes to be alone.
    """

    shards: int = 1
    factor: int = 1
    splits: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        function: str,
        load: Load,
        *,
        batch_size: int,
        shards: int,
        factor: int = 1,
        most_attempts: int | None,
        keys: int | None = None,
        failing: float = 0.0,
        reports_failures: bool = True,
        splits: bool = True,
    ) -> Stream:
        """Give one with so many batches in work at once.

        Parameters
        ----------
        name, function, load, batch_size, keys, failing, reports_failures
            As of a queue.
        shards, factor, splits
            As of this.
        most_attempts
            Of a record; None for as many as it takes.
        """
        lanes = shards * factor
        return cls(
            name,
            function,
            load,
            batch_size,
            lanes,
            math.inf,
            most_attempts,
            reports_failures,
            failing,
            Pollers(math.inf, 0, lanes),
            keys=keys,
            shards=shards,
            factor=factor,
            splits=splits,
        )

    @property
    def is_tried_without_end(self) -> bool:
        """Whether a record that fails each time is never given up."""
        return bool(self.failing) and self.max_receive_count is None

    def visible_again(self, received: float, ended: float) -> float:  # noqa: ARG002 -- a queue's rests on it
        """Give when a record that failed is read again."""
        return ended


Entry: TypeAlias = Api | Direct | Queue | Quota
"""Where requests come in."""
