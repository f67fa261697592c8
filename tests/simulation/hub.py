"""Virtual time: processes are greenlets, and whatever waits gives way to what comes first."""

from __future__ import annotations

import heapq
from random import Random
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable


class Draw(Random):
    """The same numbers as by `Random`, in less time."""

    def randint(self, a: int, b: int) -> int:
        width = b - a + 1
        bits = width.bit_length()
        number = self.getrandbits(bits)
        while number >= width:
            number = self.getrandbits(bits)
        return a + number


class Killed(BaseException):
    """Thrown into whatever a process was doing when it died."""


class Machine:
    """What a process runs on: it may stall, die, and have clocks of its own.

    Attributes
    ----------
    skew
        What its wall clock is ahead of real time (ms).
    stopped
        How long its monotonic clock has stood still.
    """

    def __init__(self, skew: int) -> None:
        self.skew = skew
        self.stopped = 0
        self.stalled_until = 0
        self.dead = False


class Hub:
    """The order of events. All times are milliseconds."""

    def __init__(self, start: int) -> None:
        self.now = start
        self._order = 0
        self._latest = start
        self._events: list[tuple[int, int, Callable[[], Any]]] = []
        self._main = getcurrent()

    def at(self, when: int, what: Callable[[], Any]) -> None:
        """Let something happen that no machine has a part in."""
        self._order += 1
        heapq.heappush(self._events, (max(when, self.now), self._order, what))

    def after(self, milliseconds: int, what: Callable[[], Any]) -> None:
        self.at(self.now + milliseconds, what)

    def spawn(self, machine: Machine, work: Callable[[], Any]) -> None:
        """Start something on a machine."""

        def run() -> None:
            try:
                if not machine.dead:
                    work()
            except Killed:
                pass

        self.at(self.now, greenlet(run, self._main).switch)

    def wait(self, machine: Machine, box: list[Any], milliseconds: int | None = None) -> None:
        """Return when something lies in the box, or when time is up; on a machine that has stalled, later."""
        if machine.dead:
            raise Killed
        me = getcurrent()
        woken = [False]

        def wake() -> None:
            if woken[0]:
                return
            if self.now < machine.stalled_until:
                self.at(machine.stalled_until, wake)
                return
            woken[0] = True
            me.switch()

        box_wait.setdefault(id(box), []).append(wake)
        if milliseconds is not None:
            self.after(milliseconds, wake)
        if box:
            self.at(self.now, wake)
        self._main.switch()
        waiting = box_wait.get(id(box), [])
        if wake in waiting:
            waiting.remove(wake)
        if not waiting:
            box_wait.pop(id(box), None)
        if machine.dead:
            raise Killed

    def put(self, box: list[Any], thing: Any) -> None:
        """Lay something into a box, and wake who waits for it."""
        box.append(thing)
        for wake in box_wait.get(id(box), []):
            self.at(self.now, wake)

    def sleep(self, machine: Machine, milliseconds: int) -> None:
        if machine.dead or self.now < machine.stalled_until or not self.skip(milliseconds):
            self.wait(machine, [], milliseconds)

    def skip(self, milliseconds: int) -> bool:
        """Let time pass at once, if nothing else happens meanwhile; that is what most of the time goes by with."""
        when = self.now + milliseconds
        if when > self._latest or (self._events and self._events[0][0] <= when):
            return False
        self.now = when
        return True

    def run(self, until: Callable[[], bool], latest: int) -> bool:
        """Go on until something holds; False when it does not by then, or nothing happens any more."""
        self._latest = latest
        while self._events:
            if until():
                return True
            when, _, what = heapq.heappop(self._events)
            if when > latest:
                heapq.heappush(self._events, (when, 0, what))
                self.now = latest
                return until()
            self.now = max(self.now, when)
            what()
        if not until():
            self.now = latest
        return until()


box_wait: dict[int, list[Callable[[], None]]] = {}
