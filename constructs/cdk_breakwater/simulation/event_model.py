"""A burst, event by event: exact for the durations and arrivals that are drawn, and for loads of some 100,000.

Sources of what AWS's services do are beside the constants of `application`. The documentation does not say in which
order batches that were throttled are tried again; here the one that has waited longest is first.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from itertools import count
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from .application import (
    FAILED_RETRY_SECONDS,
    LONGEST_THROTTLED_RETRY_SECONDS,
    MOST_AGE_SECONDS,
    THROTTLED_RETRY_SECONDS,
    THROTTLED_RETRY_SPREAD,
    Api,
    Direct,
    Queue,
)
from .environments import Environments, Servers
from .history import History
from .pools import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from .application import Application, Bucket
    from .environments import Environment

    Ended: TypeAlias = "Callable[[float, bool], None]"
    Borrowed: TypeAlias = "Callable[[float, float, tuple[Pool, ...], bool], None]"

_TICK = 1.0


class _Message(NamedTuple):
    arrived: float
    is_bad: bool  # fails each time
    receives: int = 0


class _Batch:
    """A batch that a poller holds.

    Attributes
    ----------
    received
        When.
    begun, over
        Whether its invocation was begun, and whether its messages are visible again.
    """

    def __init__(self, received: float) -> None:
        self.messages: list[_Message] = []
        self.received = received
        self.begun = self.over = False

    def failed(self, *, all_of_them: bool, reported: bool) -> list[_Message]:
        """Give the messages that come again after an invocation."""
        bad = [message for message in self.messages if message.is_bad]
        return self.messages if all_of_them or (bad and not reported) else bad


class _QueueState:
    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.visible: deque[_Message] = deque()
        self.batches = 0
        self.bad = 0.5  # when it reaches 1, the next message fails each time
        self.allowed = queue.first_batches
        self.waiting: deque[_Batch] = deque()
        self.held = 0  # messages of those batches


class EventModel:
    """One run.

    Parameters
    ----------
    application
        What it runs against.
    seed
        Of arrivals and durations.
    until
        When to stop, in seconds.
    step
        Seconds of a step of the history.
    """

    def __init__(self, application: Application, *, seed: int, until: float, step: float) -> None:
        self._app, self._until = application, until
        self._chance = Random(seed)  # noqa: S311 -- arrivals and durations
        self.history = History.empty(
            "events",
            step,
            [entry.name for entry in application.entries],
            application.functions,
            application.servers,
        )
        self._servers = Servers(application.servers, self.history.servers)
        self._functions = {
            name: Environments(function, application, self._servers, self.history.functions[name])
            for name, function in application.functions.items()
        }
        self._queues = {entry.name: _QueueState(entry) for entry in application.entries if isinstance(entry, Queue)}
        self._readers: dict[str, list[_QueueState]] = {}
        for state in self._queues.values():
            self._readers.setdefault(state.queue.function, []).append(state)
        self._pools = {
            name: Pool(server, self.history.servers[name], self._at)
            for name, server in application.servers.items()
            if server.is_proxy
        }
        self._tokens: dict[str, tuple[float, float]] = {}
        self._unreserved = 0
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._open = 0  # requests and messages that are neither done nor lost
        self._last_closed = 0.0

    def run(self) -> History:
        """Run to the end."""
        for entry in self._app.entries:
            self._next_arrival(entry, entry.load.times(self._chance))
        if self._app.deploy_at < math.inf:
            self._at(self._app.deploy_at, self._deploy)
        if self._app.failover is not None:
            self._at(self._app.failover.at, self._fail)
            self._at(self._app.failover.at + self._app.failover.seconds, self._recover)
        self._at(_TICK, self._tick)
        now, end = 0.0, self._app.end
        while self._events and self._events[0][0] <= self._until:
            now, _, happen = heapq.heappop(self._events)
            happen(now)
            if not self._open and now >= end:
                break
        self.history.seconds = now
        self.history.left = self._open
        self.history.drained = self._last_closed if not self._open else None
        return self.history

    def _close(self, now: float, requests: int = 1) -> None:
        self._open -= requests
        self._last_closed = now

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), happen))

    def _next_arrival(self, entry: Api | Direct | Queue, times: Iterator[float]) -> None:
        when = next(times, None)
        if when is None:
            return
        self._open += 1  # so that the run does not end before the next one has come

        def arrive(now: float) -> None:
            self._open -= 1
            self._next_arrival(entry, times)
            self.history.entries[entry.name].arrivals.add(now)
            self._arrive(entry, now)

        self._at(when, arrive)

    def _arrive(self, entry: Api | Direct | Queue, now: float) -> None:
        if isinstance(entry, Queue):
            self._open += 1
            state = self._queues[entry.name]
            state.bad += entry.failing
            state.visible.append(_Message(now, is_bad=state.bad >= 1))
            state.bad %= 1
            self._poll(state, now)
        elif isinstance(entry, Api) and not self._admit(entry.buckets, now):
            self.history.entries[entry.name].limited.add(now)
        elif isinstance(entry, Direct) and not entry.waits:
            self._open += 1
            self._change_depth(entry, now, 1)
            self._send(entry, now, now, 0, THROTTLED_RETRY_SECONDS)
        else:
            self._ask(entry, now)

    def _admit(self, buckets: tuple[Bucket, ...], now: float) -> bool:
        filled = []
        for bucket in buckets:
            tokens, before = self._tokens.get(bucket.name, (bucket.burst, 0.0))
            filled.append(min(bucket.burst, tokens + (now - before) * bucket.rate))
        admitted = all(tokens >= 1 - 1e-9 for tokens in filled)
        for bucket, tokens in zip(buckets, filled, strict=True):
            self._tokens[bucket.name] = (tokens - admitted, now)
        return admitted

    # Requests whose callers wait.

    def _ask(self, entry: Api | Direct, now: float) -> None:
        history = self.history.entries[entry.name]

        def ended(then: float, is_good: bool) -> None:
            self._close(then)
            (history.done if is_good else history.failed).add(then)

        duration = self._app.functions[entry.function].duration.sample(self._chance)
        if self._invoke(entry.function, now, duration, ended):
            self._open += 1
        else:
            history.throttled.add(now)

    # Events that Lambda keeps itself.

    def _send(self, entry: Direct, now: float, sent: float, failures: int, delay: float) -> None:
        history = self.history.entries[entry.name]

        def ended(then: float, is_good: bool) -> None:
            if is_good:
                self._close(then)
                history.done.add(then)
                return
            history.failed.add(then)
            if failures == len(FAILED_RETRY_SECONDS):
                self._close(then)
                history.lost.add(then)
                return
            self._change_depth(entry, then, 1)
            again = FAILED_RETRY_SECONDS[failures]
            self._at(then + again, lambda later: self._send(entry, later, sent, failures + 1, THROTTLED_RETRY_SECONDS))

        duration = self._app.functions[entry.function].duration.sample(self._chance)
        if self._invoke(entry.function, now, duration, ended):
            self._change_depth(entry, now, -1)
            return
        history.throttled.add(now)
        if now + delay - sent > MOST_AGE_SECONDS:
            self._close(now)
            self._change_depth(entry, now, -1)
            history.lost.add(now)
            return
        longer = min(2 * delay, LONGEST_THROTTLED_RETRY_SECONDS)
        spread = self._chance.uniform(*THROTTLED_RETRY_SPREAD)
        self._at(now + delay * spread, lambda later: self._send(entry, later, sent, failures, longer))

    def _change_depth(self, entry: Direct, now: float, change: int) -> None:
        depth = self.history.entries[entry.name].depth
        depth.set(now, depth.last + change)

    # Queues.

    def _poll(self, state: _QueueState, now: float) -> None:
        self._try_waiting(state, now)
        while state.visible and state.batches < int(state.allowed):
            batch = self._receive(state, now)
            if not batch.messages:
                continue
            state.batches += 1
            if not self._begin(state, batch, now):
                self.history.entries[state.queue.name].throttled.add(now)
                state.waiting.append(batch)
                state.held += len(batch.messages)
                again = now + state.queue.visibility_timeout
                self._at(again, lambda then, batch=batch: self._give_up(state, batch, then))
        if state.visible:
            at_maximum = int(state.allowed) >= state.queue.most_batches
            self.history.entries[state.queue.name].hold_back(now, at_maximum=at_maximum)
        self._note(state, now)

    def _receive(self, state: _QueueState, now: float) -> _Batch:
        queue, batch = state.queue, _Batch(now)
        while state.visible and len(batch.messages) < queue.batch_size:
            message = state.visible.popleft()
            if queue.max_receive_count is not None and message.receives >= queue.max_receive_count:
                self.history.entries[queue.name].lost.add(now)
                self._close(now)
                continue
            batch.messages.append(message._replace(receives=message.receives + 1))
        return batch

    def _begin(self, state: _QueueState, batch: _Batch, now: float) -> bool:
        queue, history = state.queue, self.history.entries[state.queue.name]

        def ended(then: float, is_good: bool) -> None:
            state.batches -= 1
            failed = batch.failed(all_of_them=not is_good, reported=queue.reports_failures)
            done = len(batch.messages) - len(failed)
            batch.messages = failed
            if done:
                self._close(then, done)
                history.done.add(then, done)
            if failed:
                history.failed.add(then, len(failed))
                again = queue.visible_again(batch.received, then)
                self._at(again, lambda later: self._show(state, batch, later))
            self._poll(state, then)

        function = self._app.functions[queue.function]
        seconds = sum(function.duration.sample(self._chance) for _ in batch.messages)
        batch.begun = self._invoke(queue.function, now, seconds, ended)
        if batch.begun:
            history.waited += sum(now - message.arrived for message in batch.messages)
        return batch.begun

    def _give_up(self, state: _QueueState, batch: _Batch, now: float) -> None:
        if batch.begun:
            return
        batch.over = True
        state.held -= len(batch.messages)
        state.batches -= 1
        self._show(state, batch, now)

    def _show(self, state: _QueueState, batch: _Batch, now: float) -> None:
        state.visible.extend(batch.messages)
        self._poll(state, now)

    def _note(self, state: _QueueState, now: float) -> None:
        history = self.history.entries[state.queue.name]
        history.depth.set(now, len(state.visible) + state.held)
        history.age.set(now, now - state.visible[0].arrived if state.visible else 0.0)

    # Functions.

    def _invoke(self, name: str, now: float, seconds: float, ended: Ended) -> bool:
        """Begin an invocation; False where there is no room for it."""
        environments = self._functions[name]
        reserved = environments.function.reserved
        if self._unreserved >= self._app.unreserved if reserved is None else environments.busy >= reserved:
            return False
        taken = environments.take(now)
        if taken is None:
            return False
        self._unreserved += reserved is None
        self._change_busy(now, 1)
        environment, is_new = taken

        def work(then: float) -> None:
            current = environment.connected == self._servers.failovers
            if not current and not self._servers.connect(environments.function, environment, then):
                self._at(then + self._app.refused, lambda later: self._end(name, environment, later, None, ended))
                return
            names = [each for each in environments.function.connections if each in self._pools]
            self._borrow(names, then, then + environments.function.timeout, (), do)

        def do(then: float, deadline: float, lent: tuple[Pool, ...], is_connected: bool) -> None:
            lasts = seconds if is_connected else 0.0
            is_late = lasts > deadline - then or then >= deadline
            if is_late:
                self.history.functions[name].timeouts.add(deadline)
            begun = self._servers.failovers if is_connected and not is_late else None

            def end(later: float) -> None:
                for pool in lent:
                    pool.give_back(later)
                self._end(name, environment, later, begun, ended)

            self._at(min(then + lasts, max(then, deadline)), end)

        if is_new and environments.function.cold_start:
            self._at(now + environments.function.cold_start, work)
        else:
            work(now)
        return True

    def _borrow(self, names: list[str], now: float, deadline: float, lent: tuple[Pool, ...], answer: Borrowed) -> None:
        """Borrow a connection of each proxy, one after the other."""
        if not names:
            answer(now, deadline, lent, True)
            return
        pool, patience = self._pools[names[0]], self._app.servers[names[0]].borrow_timeout or 0.0

        def answered(then: float, is_lent: bool) -> None:
            if is_lent:
                self._borrow(names[1:], then, deadline, (*lent, pool), answer)
                return
            if then < deadline:
                self.history.servers[names[0]].refused.add(then)
            answer(then, deadline, lent, False)

        pool.borrow(now, min(patience, deadline - now), answered)

    def _end(self, name: str, environment: Environment, now: float, begun: int | None, ended: Ended) -> None:
        """End an invocation, which is good where its connection was not lost since it was begun."""
        environments = self._functions[name]
        environments.give_back(environment, now)
        self._change_busy(now, -1)
        self._unreserved -= environments.function.reserved is None
        has_servers = bool(environments.function.connections)
        ended(now, begun is not None and (begun == self._servers.failovers or not has_servers))
        for function in (name,) if environments.function.reserved is not None else self._app.functions:
            for state in self._readers.get(function, ()):
                if state.waiting:
                    self._try_waiting(state, now)

    def _change_busy(self, now: float, change: int) -> None:
        self.history.concurrency.set(now, self.history.concurrency.last + change)

    def _try_waiting(self, state: _QueueState, now: float) -> None:
        while state.waiting:
            batch = state.waiting[0]
            if not batch.over:
                if not self._begin(state, batch, now):
                    break
                state.held -= len(batch.messages)
                self._note(state, now)
            state.waiting.popleft()

    # What happens by the clock.

    def _tick(self, now: float) -> None:
        for environments in self._functions.values():
            environments.end_idle(now)
        for state in self._queues.values():
            if state.visible and state.batches >= int(state.allowed):
                state.allowed = min(
                    state.queue.most_batches, state.allowed + state.queue.pollers.more_per_second * _TICK
                )
            self._poll(state, now)
        self._at(now + _TICK, self._tick)

    def _deploy(self, now: float) -> None:
        for environments in self._functions.values():
            environments.deploy(now)

    def _fail(self, now: float) -> None:
        self._servers.fail(now)
        for pool in self._pools.values():
            pool.fail()

    def _recover(self, now: float) -> None:
        self._servers.available = True
        for pool in self._pools.values():
            pool.recover(now)
