"""A quota and the messages that wait for it as amounts, of which a part moves in every step."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .by_step import ByStep
from .delay import Delay
from .gate import Gate
from .quota import MORE_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .application import Application
    from .binned_function import Begun, BinnedFunction
    from .history import EntryHistory
    from .quota import Quota

_DUST = 1e-6
_LEAST = 1e-3  # of a call: less than that is not worth a look
_HALF = 0.5  # less than half of a message is none
_PARTS = 4


@dataclass
class _Cohort:
    """Messages of one time.

    Attributes
    ----------
    arrived
        When they were sent.
    messages
        How many.
    bad
        The part of them that fails each time.
    failures
        How often they have failed.
    """

    arrived: float
    messages: float
    bad: float
    failures: int = 0


class BinnedQuota:
    """A quota.

    Places in its tiers are free at times of their own, between two steps as well, so that a step may be longer than a
    tier's period.
    """

    def __init__(
        self, quota: Quota, function: BinnedFunction, application: Application, step: float, history: EntryHistory
    ) -> None:
        self.name = quota.name
        self.quota, self.function, self._app, self._step, self.history = quota, function, application, step, history
        self._gate = Gate(quota, history)
        self._gathered: deque[_Cohort] = deque()
        self._waiting: deque[_Cohort] = deque()
        self._depth = 0.0
        self._work = Delay()
        self._again: ByStep[list[_Cohort]] = ByStep(list)
        self._again_total = 0.0
        self._resumes: float | None = None  # when the tiers let the next one start
        self._number = 0
        self._tries_at = 0.0

    @property
    def open(self) -> float:
        """Messages that are neither done nor lost."""
        return self._depth + self._again_total + self._work.total

    @property
    def rests_until(self) -> float:
        """The step at which it has something to do again; the present one where it has now."""
        if self._work.total or self._gathered or (self._waiting and self._resumes is None):
            return self._number
        due = self._again.next_after(self._number) or math.inf
        resumes = self._resumes / self._step if self._waiting and self._resumes is not None else math.inf
        return max(self._number, min(due, resumes))

    def advance(self, number: int, arrivals: float) -> None:
        """Go to a step: what ends in it has ended, what comes has come."""
        self._number, now = number, number * self._step
        self.history.done.add(now, self._work.step())
        self.history.arrivals.add(now, arrivals)
        if arrivals > 0:
            self._gathered.append(_Cohort(now, arrivals, self.quota.failing))
            self._depth += arrivals
        if self._gathered and (
            now >= self._gathered[0].arrived + self.quota.window
            or sum(each.messages for each in self._gathered) >= self.quota.batch
        ):
            self._waiting += self._gathered
            self._gathered.clear()
        for cohort in self._again.take(number):
            self._again_total -= cohort.messages
            self._waiting.append(cohort)
            self._depth += cohort.messages

    def work(self, room: Callable[[], float], now: float) -> None:
        """Let calls begin that the tiers and the function have room for."""
        at, self._resumes = now, None
        while self._waiting:
            cohort = self._waiting[0]
            wanted = cohort.messages
            if self.quota.is_kept:
                room_of_tiers = self._gate.room(at)
                if room_of_tiers <= _LEAST:
                    start = self._gate.next_start(at)
                    if self._depth >= _HALF:
                        self._gate.hold_back(at)
                    if start is None or start >= now + self._step - _DUST:
                        self._resumes = start
                        return
                    at = start
                    continue
                wanted = min(wanted, room_of_tiers)
            begun = self._begin(cohort, wanted, room(), at)
            self._depth -= begun
            cohort.messages -= begun
            if cohort.messages <= _DUST:
                self._depth = max(0.0, self._depth - cohort.messages)
                self._waiting.popleft()
            if begun < wanted - _DUST:
                if now >= self._tries_at:
                    self._tries_at = now + MORE_AFTER_SECONDS
                    self.history.throttled.add(now)
                return

    def lose_connections(self, now: float) -> None:
        """Fail what is at work, as a failover does."""
        lost = self._work.clear()
        self.history.failed.add(now, lost)
        self._fail(_Cohort(now, lost, self.quota.failing), now)

    def note(self, now: float) -> None:
        """Write down where it stands."""
        self._gate.note(now)
        self.history.depth.set(now, self._depth)
        first = self._waiting or self._gathered
        self.history.age.set(now, now - first[0].arrived if first and self._depth >= _HALF else 0.0)

    def _begin(self, cohort: _Cohort, wanted: float, room: float, at: float) -> float:
        """Let calls begin; give how many did."""
        now, step = self._number * self._step, self._step
        function = self.function.function
        duration, timeout = function.duration, function.timeout
        begun = self.function.begin(wanted, duration, room, now)
        if begun.total <= 0:
            return 0.0
        self.history.called.add(now, begun.total)
        granted = self._take(begun, at, min(duration.mean, timeout))
        in_time = duration.within(timeout)
        good = in_time * granted * (1 - cohort.bad)
        self._work.add(begun.good * good, duration.ends(step, timeout))
        self._work.add(begun.good_new * good, duration.ends(step, timeout, later=function.cold_start))
        self.function.count_timeouts(now, (begun.good + begun.good_new) * (1 - in_time))
        failed = begun.total - (begun.good + begun.good_new) * good
        self.history.failed.add(now, failed)
        bad = min(failed, cohort.bad * begun.total)
        ends = at + (duration.mean if begun.good + begun.good_new else self._app.refused)
        self._fail(replace(cohort, messages=bad, bad=1.0), ends)
        self._fail(replace(cohort, messages=failed - bad, bad=0.0), ends)
        return begun.total

    def _take(self, begun: Begun, at: float, lasts: float) -> float:
        """Take places for calls; give the part of them that the provider grants."""
        gate, cold = self._gate, self.function.function.cold_start
        if not self.quota.is_kept:
            granted = min(begun.total, max(0.0, gate.room(at)))
            gate.take(at, granted)
            gate.end(at, at, granted)
            if granted < begun.total - _DUST:
                gate.hold_back(at)
                self.history.limited.add(at, begun.total - granted)
            return granted / begun.total
        gate.take(at, begun.total)
        refused = self._app.refused
        for amount, seconds in (
            (begun.good, lasts),
            (begun.good_new, lasts + cold),
            (begun.bad, refused),
            (begun.bad_new, refused + cold),
        ):
            if amount > 0:
                gate.end(at, at + seconds, amount)
        return 1.0

    def _fail(self, cohort: _Cohort, ended: float) -> None:
        if cohort.messages <= 0:
            return
        failures = cohort.failures + 1
        if failures >= self.quota.max_attempts:
            self.history.lost.add(ended, cohort.messages)
            return
        for part in range(_PARTS):
            at = ended + self.quota.again(failures, (part + 0.5) / _PARTS)
            number = max(self._number + 1, math.ceil(at / self._step))
            messages = cohort.messages / _PARTS
            self._again_total += messages
            again = self._again.at(number)
            alike = next((each for each in again if each.failures == failures and each.bad == cohort.bad), None)
            if alike is None:
                again.append(replace(cohort, messages=messages, failures=failures))
            else:
                alike.messages += messages
