"""A queue and its mapping as amounts, of which a part moves in every step."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .cohorts import Cohort, Hidden
from .delay import Delay, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .application import Application
    from .binned_function import BinnedFunction
    from .entries import Queue
    from .history import EntryHistory

_DUST = 1e-6


class Fate(NamedTuple):
    """What becomes of the messages of a batch whose invocation reaches its end.

    Attributes
    ----------
    tried
        How many are begun, all attempts together that follow each other at once.
    again, lost
        The parts of them that come again later, and that are given up.
    failed
        How many were not done by the invocation that had them, of those that do not come again later.
    """

    tried: float
    again: float = 0.0
    lost: float = 0.0
    failed: float = 0.0


class BinnedQueue:
    """A queue."""

    def __init__(
        self, queue: Queue, function: BinnedFunction, application: Application, step: float, history: EntryHistory
    ) -> None:
        self.name = queue.name
        self.queue, self.function, self._app, self._step, self.history = queue, function, application, step, history
        self._visible: deque[Cohort] = deque()
        self._depth = self._held = 0.0
        self._waiting: deque[Cohort] = deque()  # in pollers' hands, until their visibility timeout
        self._waiting_batches = 0.0
        self._hidden = Hidden()
        self._batches, self._messages, self._given_up = Delay(), Delay(), Delay()
        self._allowed = queue.first_batches
        self._number = 0

    @property
    def open(self) -> float:
        """Messages that are neither done nor lost."""
        return self._depth + self._held + self._hidden.total + self._messages.total + self._given_up.total

    @property
    def rests_until(self) -> float:
        """The step at which it has something to do again; the present one where it has now."""
        if self._depth or self._waiting or self._messages.total or self._batches.total:
            return self._number
        return self._hidden.next_after(self._number)

    def advance(self, number: int, arrivals: float) -> None:
        """Go to a step: what ends in it has ended, what comes has come."""
        self._number = number
        now = number * self._step
        self._batches.step()
        self.history.done.add(now, self._messages.step())
        self.history.lost.add(now, self._given_up.step())
        self.history.arrivals.add(now, arrivals)
        self._arrive(arrivals, now)
        for cohort in self._hidden.take(number):
            self._show(cohort)
        while self._waiting and self._waiting[0].received + self.queue.visibility_timeout <= now:
            given_up = self._waiting.popleft()
            self._waiting_batches -= given_up.batches
            self._held -= given_up.messages
            self._show(given_up)

    def work(self, room: Callable[[], float], now: float) -> None:
        """Let pollers receive, and begin what there is room for."""
        while self._waiting:
            cohort = self._waiting[0]
            begun = self._begin(cohort, room(), now)
            if begun < cohort.batches * (1 - 1e-9):
                part = begun / cohort.batches
                self._waiting_batches -= begun
                self._held -= cohort.messages * part
                cohort.messages *= 1 - part
                cohort.batches -= begun
                break
            self._waiting_batches -= cohort.batches
            self._held -= cohort.messages
            self._waiting.popleft()
        self._receive(room, now)
        if self._is_held_back:
            self.history.hold_back(now, at_maximum=self._allowed >= self.queue.most_batches)
            self._allowed = min(
                self.queue.most_batches, self._allowed + self.queue.pollers.more_per_second * self._step
            )

    def lose_connections(self, now: float) -> None:
        """Fail what is at work, as a failover does."""
        batches = self._batches.total
        lost = self._messages.clear() + self._given_up.clear()
        self.history.failed.add(now, lost)
        batches = max(lost / self.queue.batch_size, batches)
        self._hide(Cohort(now, 1, lost, batches, now, bad=self.queue.failing))

    def note(self, now: float) -> None:
        """Write down where it stands."""
        self.history.depth.set(now, self._depth + self._held)
        self.history.age.set(now, now - self._visible[0].arrived if self._depth > 0.5 else 0.0)

    @property
    def _ready(self) -> float:
        """How many messages may be received."""
        return self._depth

    @property
    def _free_pollers(self) -> float:
        """How many batches more may be in work."""
        return self._allowed - self._batches.total - max(0.0, self._waiting_batches)

    @property
    def _is_held_back(self) -> bool:
        """Whether messages wait because so many batches are in work."""
        return self._ready > 0.5 and self._batches.total + max(0.0, self._waiting_batches) >= self._allowed - 1

    def _arrive(self, arrivals: float, now: float) -> None:
        self._show(Cohort(now, 0, arrivals, arrivals, bad=self.queue.failing))

    def _receive(self, room: Callable[[], float], now: float) -> None:
        pollers, ready = self._free_pollers, self._ready
        if ready <= _DUST or pollers <= _DUST:
            return
        together = self._visible[0].messages / self._visible[0].batches if self._visible else 1.0
        size = min(float(self.queue.batch_size), max(1.0, together, ready / pollers))
        duration = self.function.function.duration
        each = min(1.0, duration.mean * size / self._step)  # a poller may hand over several batches in a step
        # … to environments that are there; a new one keeps its poller for as long as it starts.
        there = min(pollers, self.function.idle)
        for cohort in self._take(min(ready, size * (there / each + pollers - there)), size, now):
            begun = self._begin(cohort, room(), now)
            rest = 1 - begun / cohort.batches
            if rest > 1e-9:
                cohort.messages *= rest
                cohort.batches *= rest
                self.history.throttled.add(now, cohort.batches)
                self._waiting.append(cohort)
                self._waiting_batches += cohort.batches
                self._held += cohort.messages

    def _begin(self, cohort: Cohort, room: float, now: float) -> float:
        """Let batches begin; give how many did."""
        size = cohort.messages / cohort.batches
        fate = self._fate(cohort, size)
        function, step = self.function.function, self._step
        duration = function.duration.of(fate.tried)
        begun = self.function.begin(cohort.batches, duration, room, now)
        ends = duration.ends(step, function.timeout)
        ends_new = duration.ends(step, function.timeout, later=function.cold_start)
        each = min(1.0, duration.mean / step)
        self._batches.add(begun.good * each, ends)
        self._batches.add(begun.good_new, ends_new)
        self._batches.add(begun.bad * min(1.0, self._app.refused / step), steps_of(self._app.refused, step))
        self._batches.add(begun.bad_new, steps_of(self._app.refused + function.cold_start, step))
        in_time = duration.within(function.timeout)
        for batches, end in ((begun.good, ends), (begun.good_new, ends_new)):
            self._messages.add(batches * size * in_time * (1 - fate.again - fate.lost), end)
            self._given_up.add(batches * size * in_time * fate.lost, end)
        good = (begun.good + begun.good_new) * size
        refused = (begun.bad + begun.bad_new) * size + good * (1 - in_time)
        failed = good * in_time * fate.again
        self.function.count_timeouts(now, (begun.good + begun.good_new) * (1 - in_time))
        self.history.failed.add(now, refused + failed + (begun.good + begun.good_new) * in_time * fate.failed)
        self._hide(replace(cohort, messages=refused, batches=refused / size))
        # Those that were reported come again one by one, in batches with others; those that were not, with their batch.
        batches = failed if self.queue.reports_failures else failed / size
        self._hide(replace(cohort, messages=failed, batches=batches, bad=1.0))
        return begun.total

    def _fate(self, cohort: Cohort, size: float) -> Fate:
        """Say what becomes of a batch, of which messages come again because they, or others of it, fail each time."""
        again = cohort.bad if self.queue.reports_failures else 1 - (1 - cohort.bad) ** size
        return Fate(size, again)

    def _take(self, messages: float, size: float, now: float) -> list[Cohort]:
        """Take messages off the queue, by how often they have been received; set those aside that were too often."""
        taken: dict[int, Cohort] = {}
        most = self.queue.max_receive_count
        while messages > _DUST and self._visible:
            cohort = self._visible[0]
            if most is not None and cohort.receives >= most:
                self.history.lost.add(now, cohort.messages)
                self._depth -= cohort.messages
                self._visible.popleft()
                continue
            part = min(messages, cohort.messages)
            receives = cohort.receives + 1
            known = taken.setdefault(receives, Cohort(cohort.arrived, receives, 0.0, 0.0, now))
            known.bad = (known.bad * known.messages + cohort.bad * part) / (known.messages + part)
            known.messages += part
            known.batches = known.messages / size
            messages -= part
            self._depth -= part
            cohort.batches *= 1 - part / cohort.messages
            cohort.messages -= part
            if cohort.messages <= _DUST:
                self._visible.popleft()
        if not self._visible:
            self._depth = 0.0
        return list(taken.values())

    def _show(self, cohort: Cohort) -> None:
        if cohort.messages > 0:
            self._visible.append(cohort)
            self._depth += cohort.messages

    def _hide(self, cohort: Cohort) -> None:
        again = self.queue.visible_again(cohort.received, self._number * self._step)
        self._hidden.put(cohort, max(self._number + 1, round(again / self._step)))
