"""Requests whose callers wait, and asynchronous events, as amounts of which a part moves in every step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .by_step import ByStep
from .delay import Delay
from .entries import (
    FAILED_RETRY_SECONDS,
    LONGEST_THROTTLED_RETRY_SECONDS,
    MOST_AGE_SECONDS,
    THROTTLED_RETRY_SECONDS,
    THROTTLED_RETRY_SPREAD,
    Api,
    Direct,
)

if TYPE_CHECKING:
    from .application import Application
    from .binned_function import Begun, BinnedFunction
    from .history import EntryHistory

_PARTS = 20


class BinnedRequests:
    """Requests whose callers wait, or events that Lambda keeps for callers who don't."""

    def __init__(
        self,
        entry: Api | Direct,
        function: BinnedFunction,
        application: Application,
        step: float,
        history: EntryHistory,
    ) -> None:
        self.entry, self.function, self._app, self._step, self.history = entry, function, application, step, history
        self._waits = isinstance(entry, Api) or entry.waits
        self._work = Delay()
        self._again: ByStep[dict[tuple[int, float, float], float]] = ByStep(dict)  # failures, delay, sent
        self._kept = 0.0
        self._number = 0

    @property
    def open(self) -> float:
        """Requests and events that are neither answered nor given up."""
        return self._work.total + self._kept

    @property
    def rests_until(self) -> float:
        """The step at which it has something to do again; the present one where it has now."""
        due = self._again.next_after(self._number)
        return self._number if self._work.total or due is None else due

    def advance(self, number: int) -> None:
        """Go to a step: what ends in it has ended."""
        self._number, now = number, number * self._step
        self.history.done.add(now, self._work.step())

    def ask(self, admitted: float, room: float, now: float) -> None:
        """Let what was admitted begin, and what comes again."""
        if self._waits:
            refused = 0.0
            for part, there in self._halves(admitted, room):
                refused += part - self._begin(part, there, now).total
            self.history.throttled.add(now, refused)
            return
        wanted = {(0, float(THROTTLED_RETRY_SECONDS), now): admitted} if admitted else {}
        for key, amount in self._again.take(self._number).items():
            wanted[key] = wanted.get(key, 0.0) + amount
            self._kept -= amount
        total = sum(wanted.values())
        if not total:
            return
        begun = self._begin(total, room, now)
        failed = (begun.bad + begun.bad_new + self._late(begun)) / total
        refused = 1 - begun.total / total
        self.history.throttled.add(now, total * refused)
        earliest, latest = THROTTLED_RETRY_SPREAD
        for (failures, delay, sent), amount in wanted.items():
            self._fail(amount * failed, failures, now)
            if now + delay - sent > MOST_AGE_SECONDS:
                self.history.lost.add(now, amount * refused)
            else:
                longer = min(2 * delay, LONGEST_THROTTLED_RETRY_SECONDS)
                parts = min(_PARTS, math.ceil(delay / self._step))
                for part in range(parts):
                    spread = earliest + (latest - earliest) * (part + 0.5) / parts
                    key = (failures, longer, sent)
                    self._keep(amount * refused / parts, now + delay * spread, key, delay / parts)

    def _halves(self, admitted: float, room: float) -> list[tuple[float, float]]:
        """Give what comes before and after what ends in this step, with the room that there is for it.

        That matters where requests come at random, and one is refused while another finds room a moment later.
        """
        if not self.function.is_whole or not admitted:
            return [(admitted, room)]
        first = float(admitted // 2)
        before = max(0.0, room - self.function.ended)
        return [(first, before), (admitted - first, room - min(first, before))]

    def lose_connections(self, now: float) -> None:
        """Fail what is at work, as a failover does."""
        if not self.function.has_servers:
            return
        lost = self._work.clear()
        self.history.failed.add(now, lost)
        if not self._waits:
            self._fail(lost, 0, now)

    def note(self, now: float) -> None:
        """Write down where it stands."""
        self.history.depth.set(now, self._kept)

    def _begin(self, wanted: float, room: float, now: float) -> Begun:
        function = self.function.function
        begun = self.function.begin(wanted, function.duration, room, now)
        in_time = function.duration.within(function.timeout)
        self._work.add(begun.good * in_time, function.duration.ends(self._step, function.timeout))
        later = function.duration.ends(self._step, function.timeout, later=function.cold_start)
        self._work.add(begun.good_new * in_time, later)
        late = self._late(begun)
        self.function.count_timeouts(now, late)
        self.history.failed.add(now, begun.bad + begun.bad_new + late)
        return begun

    def _late(self, begun: Begun) -> float:
        function = self.function.function
        return (begun.good + begun.good_new) * (1 - function.duration.within(function.timeout))

    def _fail(self, amount: float, failures: int, now: float) -> None:
        if failures == len(FAILED_RETRY_SECONDS):
            self.history.lost.add(now, amount)
        else:
            again = now + FAILED_RETRY_SECONDS[failures]
            self._keep(amount, again, (failures + 1, float(THROTTLED_RETRY_SECONDS), now))

    def _keep(self, amount: float, at: float, key: tuple[int, float, float], width: float = 0.0) -> None:
        if amount <= 0:
            return
        # Events of one second are one, and what comes again within some steps does so in the last of them; or those of
        # each step would be kept apart.
        failures, delay, sent = key
        steps = max(1, int(width / self._step))
        number = max(self._number + 1, math.ceil(at / self._step / steps) * steps)
        kept = self._again.at(number)
        key = (failures, delay, float(math.floor(sent)))
        kept[key] = kept.get(key, 0.0) + amount
        self._kept += amount
