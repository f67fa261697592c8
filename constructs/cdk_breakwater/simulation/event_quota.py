"""A quota and the messages that wait for it, one by one."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .failing import Failing
from .gate import Gate
from .quota import MORE_AFTER_SECONDS

if TYPE_CHECKING:
    from .event_functions import EventFunctions
    from .history import EntryHistory
    from .quota import Quota


class _Message(NamedTuple):
    arrived: float
    is_bad: bool  # fails each time
    failures: int = 0


class EventQuota:
    """A quota.

    Parameters
    ----------
    quota
        What it is.
    history
        Of it.
    functions
        Of the run.
    """

    def __init__(self, quota: Quota, history: EntryHistory, functions: EventFunctions) -> None:
        self._quota, self._history, self._functions = quota, history, functions
        self._clock = functions.clock
        self._gate = Gate(quota, history)
        self._gathered: list[_Message] = []
        self._waiting: deque[_Message] = deque()
        self._failing = Failing(quota.failing)
        self._wakes_at = math.inf
        self._tries_at = 0.0
        functions.when_there_is_room(quota.function, self._work)

    def arrive(self, now: float) -> None:
        """Take a message, which is filed with others."""
        self._clock.open += 1
        self._gathered.append(_Message(now, is_bad=self._failing.next_one()))
        if len(self._gathered) == 1 and self._quota.window:
            self._clock.at(now + self._quota.window, self._file)
        if len(self._gathered) >= (self._quota.batch if self._quota.window else 1):
            self._file(now)
        self._note(now)

    @property
    def resting(self) -> int:
        """Messages that wait for nothing but the tiers."""
        return len(self._waiting) if self._wakes_at < math.inf else 0

    def tick(self, now: float, seconds: float) -> None:  # noqa: ARG002 -- the gate knows its times
        """Try again what found no room."""
        self._work(now)
        self.note(now)

    def note(self, now: float) -> None:
        """Write down where it stands."""
        self._gate.note(now)
        self._note(now)

    def _file(self, now: float) -> None:
        self._waiting += self._gathered
        self._gathered.clear()
        self._work(now)

    def _work(self, now: float) -> None:
        waiting = len(self._waiting)
        self._call_all(now)
        if len(self._waiting) < waiting:
            self._gate.note(now)

    def _call_all(self, now: float) -> None:
        while self._waiting and (not self._quota.is_kept or self._gate.room(now) >= 1 - 1e-9):
            if not self._call(self._waiting[0], now):
                self._refuse(now)
                return  # until an invocation ends, or the next tick
            self._waiting.popleft()
        if self._waiting:
            self._gate.hold_back(now)
            start = self._gate.next_start(now)
            if start is not None and not now <= self._wakes_at <= start:
                self._wakes_at = start
                self._clock.at(start, self._wake)

    def _refuse(self, now: float) -> None:
        """Count a call that found no room: the dispatcher tries more at once now and then."""
        if now >= self._tries_at:
            self._tries_at = now + MORE_AFTER_SECONDS
            self._history.throttled.add(now)

    def _wake(self, now: float) -> None:
        self._wakes_at = math.inf
        self._work(now)

    def _call(self, message: _Message, now: float) -> bool:
        history, gate, is_kept = self._history, self._gate, self._quota.is_kept
        is_refused = not is_kept and gate.room(now) < 1 - 1e-9

        def ended(then: float, is_good: bool) -> None:
            if is_kept:
                gate.end(now, then, 1)
            if is_good and not is_refused and not message.is_bad:
                self._clock.close(then)
                history.done.add(then)
            else:
                self._fail(message, then)
            self._work(then)

        duration = self._functions.duration(self._quota.function)
        if not self._functions.invoke(self._quota.function, now, duration, ended):
            return False
        history.called.add(now)
        history.waited += now - message.arrived
        if is_refused:
            gate.hold_back(now)
            history.limited.add(now)
            return True
        gate.take(now, 1)
        if not is_kept:
            gate.end(now, now, 1)
        return True

    def _fail(self, message: _Message, now: float) -> None:
        self._history.failed.add(now)
        failures = message.failures + 1
        if failures >= self._quota.max_attempts:
            self._history.lost.add(now)
            self._clock.close(now)
            return
        again = now + self._quota.again(failures, self._functions.chance.random())
        self._clock.at(again, lambda then: self._return(message._replace(failures=failures), then))

    def _return(self, message: _Message, now: float) -> None:
        self._waiting.append(message)
        self._work(now)

    def _note(self, now: float) -> None:
        self._history.depth.set(now, len(self._waiting) + len(self._gathered))
        oldest = self._waiting[0] if self._waiting else self._gathered[0] if self._gathered else None
        self._history.age.set(now, now - oldest.arrived if oldest else 0.0)
