"""A burst in steps: amounts instead of requests, so that a million a second cost no more than one.

What it leaves out is said where it is asked for: docs/simulate.md. The exact model is `event_model`.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

from .binned_fifo import BinnedFifo
from .binned_function import BinnedFunction
from .binned_queue import BinnedQueue
from .binned_quota import BinnedQuota
from .binned_requests import BinnedRequests
from .binned_server import BinnedServer
from .binned_stream import BinnedStream
from .entries import Api, Fifo, Queue, Stream
from .history import History
from .quota import Quota

if TYPE_CHECKING:
    from .application import Application
    from .entries import Bucket

_LEFT = 0.5  # less than half of a request is none


class BinnedModel:
    """One run.

    Parameters
    ----------
    application
        What it runs against.
    seed
        Of arrivals at random; all else is an average.
    until
        When to stop, in seconds.
    step
        Seconds of a step.
    """

    def __init__(self, application: Application, *, seed: int, until: float, step: float) -> None:
        self._app, self._until, self._step = application, until, step
        self._seed = seed
        self.history = History.empty(
            "binned",
            step,
            [entry.name for entry in application.entries],
            application.functions,
            application.servers,
        )
        histories = self.history
        self._servers = {
            name: BinnedServer(server, histories.servers[name]) for name, server in application.servers.items()
        }
        # Where all requests come at random they stay whole, so that chance does to them what it does; batches, and what
        # comes at equal distances, are parts.
        divided = {
            each.function for each in application.entries if isinstance(each, Queue | Quota) or not each.load.at_random
        }
        self._functions = {
            name: BinnedFunction(
                function,
                application,
                step,
                histories.functions[name],
                self._servers,
                chance=None if name in divided else Random(seed),  # noqa: S311 -- durations
            )
            for name, function in application.functions.items()
        }
        apis = [entry for entry in application.entries if isinstance(entry, Api)]
        self._buckets = {bucket for entry in apis for bucket in entry.buckets}
        self._tokens = {bucket.name: bucket.burst for bucket in self._buckets}
        self._queues: list[BinnedQueue | BinnedStream | BinnedQuota] = []
        self._asking: list[BinnedRequests] = []
        self._counts = {}
        for number, entry in enumerate(application.entries):
            function, history = self._functions[entry.function], histories.entries[entry.name]
            self._counts[entry.name] = entry.load.counts(step, Random(seed + number))  # noqa: S311 -- arrivals
            if isinstance(entry, Stream):
                self._queues.append(BinnedStream(entry, function, application, step, history))
            elif isinstance(entry, Fifo) and entry.keys is not None:
                self._queues.append(BinnedFifo(entry, function, application, step, history))
            elif isinstance(entry, Queue):
                self._queues.append(BinnedQueue(entry, function, application, step, history))
            elif isinstance(entry, Quota):
                self._queues.append(BinnedQuota(entry, function, application, step, history))
            else:
                self._asking.append(BinnedRequests(entry, function, application, step, history))

    def run(self, most_steps: float = math.inf) -> bool:
        """Run to the end; tell whether that takes no more steps."""
        app, step, history = self._app, self._step, self.history
        failover = app.failover
        end, drained, now = app.end, 0.0, 0.0
        last = max((entry.load.end for entry in app.entries), default=0.0)
        deployed = failed = recovered = False
        open_ = 0.0
        number = done = 0
        while number * step <= self._until:
            done += 1
            if done > most_steps:
                return False
            now = number * step
            if not deployed and now >= app.deploy_at:
                deployed = True
                for function in self._functions.values():
                    function.deploy(now)
            if failover and not failed and now >= failover.at:
                failed = True
                self._fail(now)
            if failover and not recovered and now >= failover.at + failover.seconds:
                recovered = True
                for server in self._servers.values():
                    server.available = True
            self._advance(number)
            open_ = sum(each.open for each in self._queues) + sum(each.open for each in self._asking)
            if open_ >= _LEFT or now + step < last:
                drained = now + step
            elif now >= end:
                break
            number = max(number + 1, self._rests_until() if now > end else 0)
        history.seconds = self._until if open_ >= _LEFT else now
        for queue in self._queues:
            if isinstance(queue, BinnedQuota):
                queue.note(history.seconds)
        history.left = open_ if open_ >= _LEFT else 0.0
        history.drained = drained if open_ < _LEFT else None
        return True

    def _rests_until(self) -> int:
        """Give the next step in which something happens, once nothing comes any more."""
        if any(function.busy for function in self._functions.values()):
            return 0
        return int(min((each.rests_until for each in (*self._queues, *self._asking) if each.open), default=0))

    def _advance(self, number: int) -> None:
        now = number * self._step
        for function in self._functions.values():
            function.advance(now)
        for queue in self._queues:
            queue.advance(number, next(self._counts[queue.name], 0.0))
        # Pollers ask again as soon as a batch ends, and so are there before others.
        for queue in self._queues:
            queue.work(lambda queue=queue: self._room(queue.function), now)
        self._take_requests(number, now)
        for each in (*self._functions.values(), *self._queues, *self._asking):
            each.note(now)
        self.history.concurrency.set(now, sum(function.busy for function in self._functions.values()))
        for name, server in self._servers.items():
            self.history.servers[name].connections.set(now, server.held)

    def _take_requests(self, number: int, now: float) -> None:
        self._fill_buckets()
        admitted: dict[str, list[tuple[BinnedRequests, float]]] = {}
        for asking in self._asking:
            asking.advance(number)
            entry, amount = asking.entry, next(self._counts[asking.entry.name], 0.0)
            asking.history.arrivals.add(now, amount)
            if isinstance(entry, Api):
                let_in = self._admit(entry.buckets, amount)
                asking.history.limited.add(now, amount - let_in)
                amount = let_in
            admitted.setdefault(entry.function, []).append((asking, amount))
        for name, each in admitted.items():
            total = sum(amount for _, amount in each)
            room = self._room(self._functions[name])
            for asking, amount in each:
                # Who asks for more of what there is gets more of it.
                asking.ask(amount, room * amount / total if total and len(each) > 1 else room, now)

    def _room(self, function: BinnedFunction) -> float:
        """Give how many more environments may be at work."""
        if function.function.reserved is not None:
            return max(0.0, function.function.reserved - function.busy)
        busy = sum(each.busy for each in self._functions.values() if each.function.reserved is None)
        return max(0.0, self._app.unreserved - busy)

    def _admit(self, buckets: tuple[Bucket, ...], amount: float) -> float:
        admitted = min([amount, *(self._tokens[bucket.name] for bucket in buckets)])
        for bucket in buckets:
            self._tokens[bucket.name] -= admitted
        return admitted

    def _fill_buckets(self) -> None:
        """Let a full bucket pass on what it gets within the step."""
        for bucket in self._buckets:
            self._tokens[bucket.name] = min(bucket.burst, self._tokens[bucket.name]) + bucket.rate * self._step

    def _fail(self, now: float) -> None:
        for server in self._servers.values():
            server.available = False
            server.held = 0.0
        for function in self._functions.values():
            function.lose_connections()
        for queue in self._queues:
            if queue.function.has_servers:
                queue.lose_connections(now)
        for asking in self._asking:
            asking.lose_connections(now)
