"""Where requests come in: APIs, callers, queues and streams, with the limits that they bring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .quota import Quota

if TYPE_CHECKING:
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
class Stream(Queue):
    """A stream whose shards are read in so many lanes each, with records that are spread evenly over them.

    What fails is tried again at once by its lane, and what is throttled waits in it; nothing comes back to a queue.
    """

    @classmethod
    def of(
        cls, name: str, function: str, load: Load, *, batch_size: int, lanes: int, most_attempts: int | None
    ) -> Stream:
        """Give one with so many batches in work at once.

        Parameters
        ----------
        name, function, load, batch_size
            As of a queue.
        lanes
            Shards times ParallelizationFactor.
        most_attempts
            Of a record; None for as many as it takes.
        """
        pollers = Pollers(math.inf, 0, lanes)
        return cls(name, function, load, batch_size, lanes, math.inf, most_attempts, pollers=pollers)

    def visible_again(self, received: float, ended: float) -> float:  # noqa: ARG002 -- a queue's rests on it
        """Give when a record that failed is read again."""
        return ended


Entry: TypeAlias = Api | Direct | Queue | Quota
"""Where requests come in."""
