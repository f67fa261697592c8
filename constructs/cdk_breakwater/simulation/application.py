"""What a burst runs against: entries, functions, servers, and the limits that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .entries import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .duration import Duration
    from .entries import Entry

_ALL = 0.999  # of lognormal durations, some are always longer
SCALING_STEP, SCALING_PER_SECOND = 1_000, 100
"""New environments of a function: 1,000 every 10 s, refilled continuously.

Source: AWS Lambda Developer Guide, "Lambda scaling behavior".
"""


@dataclass(frozen=True)
class Server:
    """A database or cache.

    Attributes
    ----------
    name
        Of its resource.
    max_connections
        Its limit; None where it isn't known.
    usable
        What is left of that for functions; without end where it isn't known. Of a proxy, its pool.
    borrow_timeout
        Of a proxy, which lends a connection for an invocation: how many seconds one waits for it. None of a server
        whose connections environments hold.
    """

    name: str
    max_connections: int | None
    usable: float
    borrow_timeout: float | None = None

    @property
    def is_proxy(self) -> bool:
        """Whether it lends its connections."""
        return self.borrow_timeout is not None


@dataclass(frozen=True)
class Function:
    """A function.

    Attributes
    ----------
    name
        Of its resource.
    duration
        Of one request or message.
    timeout
        In seconds.
    reserved
        Its reserved concurrency; None where it shares what the account has beside reservations.
    connections
        How many connections an environment of it holds of which server.
    cold_start
        Seconds that a new environment takes before its first request.
    """

    name: str
    duration: Duration
    timeout: float
    reserved: int | None = None
    connections: Mapping[str, int] = field(default_factory=dict)
    cold_start: float = 1.0


@dataclass(frozen=True)
class Failover:
    """A time in which the servers take no connection; those that were open are lost at its start."""

    at: float
    seconds: float


@dataclass(frozen=True)
class Application:
    """What a burst runs against.

    Attributes
    ----------
    entries
        Where requests come in. Those beyond a function's limit are turned away or wait, by the kind of the entry.
    functions, servers
        By name.
    unreserved
        The concurrency that functions without a reservation share.
    idle
        Seconds after which an environment without work is ended, with its connections.
    refused
        Seconds after which an invocation ends whose connection is refused.
    deploy_at
        When new code takes over: its environments are new ones, while those of the old code still hold connections.
    failover
        When the servers fail over.
    """

    entries: tuple[Entry, ...]
    functions: Mapping[str, Function]
    servers: Mapping[str, Server]
    unreserved: int
    idle: float
    refused: float
    deploy_at: float = math.inf
    failover: Failover | None = None

    @property
    def end(self) -> float:
        """When the last request may come, and all that is meant to happen has."""
        events = [self.failover.at + self.failover.seconds] if self.failover else []
        if self.deploy_at < math.inf:
            events.append(self.deploy_at)
        return max([0.0, *events, *(entry.load.end for entry in self.entries)])

    @property
    def has_proxies(self) -> bool:
        """Whether a function gets its connections from a proxy."""
        return any(self.servers[name].is_proxy for each in self.functions.values() for name in each.connections)

    @property
    def followed_because(self) -> str | None:
        """Why requests have to be followed one by one; None where steps will do."""
        if self.has_proxies:
            return "the pool of an RDS Proxy lends to single invocations"
        endless = [each.name for each in self.entries if isinstance(each, Stream) and each.is_tried_without_end]
        return f"{endless[0]} tries a record that fails without end, and its lane with it" if endless else None

    @property
    def better_followed(self) -> list[Stream]:
        """Streams whose invocations may end at the timeout, or without a connection.

        What is tried again then, halved perhaps, depends on the batch, of which steps know the mean alone.
        """
        return [each for each in self.entries if isinstance(each, Stream) and self._may_end_unfinished(each)]

    def _may_end_unfinished(self, stream: Stream) -> bool:
        function = self.functions[stream.function]
        if function.duration.of(stream.batch_size).within(function.timeout) < _ALL:
            return True
        at_once = stream.most_batches if function.reserved is None else min(stream.most_batches, function.reserved)
        used = [(self.servers[name], each) for name, each in function.connections.items()]
        return any(not server.is_proxy and at_once * each > server.usable for server, each in used)

    @property
    def total(self) -> float:
        """How many requests come in all."""
        return sum(entry.load.total for entry in self.entries)
