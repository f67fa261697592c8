"""A burst, event by event: exact for the durations and arrivals that are drawn, and for loads of some 100,000.

Sources of what AWS's services do are beside the constants of `application` and `entries`.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from .entries import Queue, Stream
from .event_clock import Clock
from .event_functions import EventFunctions
from .event_queue import EventQueue
from .event_quota import EventQuota
from .event_requests import EventRequests, Tokens
from .event_stream import EventStream
from .history import History
from .quota import Quota

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .application import Application
    from .entries import Entry

_TICK = 1.0

_Entry: TypeAlias = EventQueue | EventStream | EventQuota | EventRequests


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
        self._clock, self._tokens = Clock(), Tokens()
        self._coming = 0  # entries to which another request comes
        self._functions = EventFunctions(application, self.history, self._clock, self._chance)
        self._entries = [(entry, self._state(entry)) for entry in application.entries]

    def run(self) -> History:
        """Run to the end."""
        app, at = self._app, self._clock.at
        for entry, state in self._entries:
            self._next_arrival(entry, state, entry.load.times(self._chance))
        if app.deploy_at < math.inf:
            at(app.deploy_at, self._functions.deploy)
        if app.failover is not None:
            at(app.failover.at, self._functions.fail)
            at(app.failover.at + app.failover.seconds, self._functions.recover)
        at(_TICK, self._tick)
        self.history.seconds = self._clock.run(self._until, app.end)
        for _, state in self._entries:
            if isinstance(state, EventQuota):
                state.note(self.history.seconds)
        self.history.left = self._clock.open
        self.history.drained = self._clock.last_closed if not self._clock.open else None
        return self.history

    def _state(self, entry: Entry) -> _Entry:
        history = self.history.entries[entry.name]
        if isinstance(entry, Stream):
            return EventStream(entry, history, self._functions)
        if isinstance(entry, Queue):
            return EventQueue(entry, history, self._functions)
        if isinstance(entry, Quota):
            return EventQuota(entry, history, self._functions)
        return EventRequests(entry, history, self._functions, self._tokens)

    def _next_arrival(self, entry: Entry, state: _Entry, times: Iterator[float]) -> None:
        when = next(times, None)
        if when is None:
            return
        self._clock.open += 1  # so that the run does not end before the next one has come
        self._coming += 1

        def arrive(now: float) -> None:
            self._clock.open -= 1
            self._coming -= 1
            self._next_arrival(entry, state, times)
            self.history.entries[entry.name].arrivals.add(now)
            state.arrive(now)

        self._clock.at(when, arrive)

    def _tick(self, now: float) -> None:
        self._functions.end_idle(now)
        for _, state in self._entries:
            state.tick(now, _TICK)
        resting = sum(state.resting for _, state in self._entries if isinstance(state, EventQuota))
        rests = 1
        if resting + self._coming == self._clock.open:
            # Nothing is at work, for days perhaps: nothing changes until the next thing happens or an environment ends.
            next_at = min(self._clock.next_at or self._app.end, self._functions.idle_until)
            rests = max(1, math.floor(next_at - now))
        self._clock.at(now + _TICK * rests, self._tick)
