"""A FIFO queue as amounts: message groups that are alike move together, until a message that fails holds some up."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

from .binned_queue import BinnedQueue, Fate
from .cohorts import Cohort
from .message_groups import FreeGroups, Groups, HeldUp, HeldUpGroups

if TYPE_CHECKING:
    from collections.abc import Callable

    from .application import Application
    from .binned_function import BinnedFunction
    from .entries import Fifo
    from .history import EntryHistory

_DUST = 1e-6
_LEFT = 0.5  # less than half of a group is none


class BinnedFifo(BinnedQueue):
    """A FIFO queue of some message groups."""

    def __init__(
        self, queue: Fifo, function: BinnedFunction, application: Application, step: float, history: EntryHistory
    ) -> None:
        super().__init__(queue, function, application, step, history)
        self._groups = queue.keys or 1
        self._came = 0.0  # to each group
        self._coming: list[tuple[float, float]] = []  # how many had come, and when
        self._free = FreeGroups(self._groups)
        self._held_up = HeldUpGroups(queue.visibility_timeout / step)
        self._retried: deque[HeldUp] = deque()  # those that are visible
        self._behind = self._failing = 0.0  # messages of all held up: behind those that fail, and those themselves
        self._began = 1.0  # of what is taken, how much of a message is worked on

    @property
    def open(self) -> float:
        """Messages that are neither done nor lost."""
        return super().open + self._backlog + self._behind + self._failing

    @property
    def rests_until(self) -> float:
        """The step at which it has something to do again; the present one where it has now."""
        if self._backlog > _DUST or self._retried or self._depth or self._messages.total or self._batches.total:
            return self._number
        others, again = super().rests_until, self._held_up.next_after(self._number)
        if again is None:
            return others
        return min(again, others) if others > self._number else again

    def advance(self, number: int, arrivals: float) -> None:
        """Go to a step: what ends in it has ended, what comes has come, and what was held up is seen again."""
        super().advance(number, arrivals)
        now = number * self._step
        most = self.queue.max_receive_count
        for held in self._held_up.take(number):
            if most is None or held.receives < most:
                self._retried.append(held)
                continue
            self.history.lost.add(now, held.number * held.failing)
            self._forget(held)
            self._free.put(Groups(held.number, held.position), self._came)
        if now > self.queue.load.end:
            self._end(now)

    def work(self, room: Callable[[], float], now: float) -> None:
        """Let pollers receive, first what failed, and begin what there is room for."""
        while self._retried and (places := min(room(), super()._free_pollers)) > _DUST:
            held = self._retried.popleft()
            number = min(held.number, places)
            if number < held.number:
                rest = HeldUp(held.number - number, held.position, held.failing, held.receives)
                self._retried.appendleft(rest)
                held.number = number
            self._retry(held, room(), now)
        super().work(room, now)
        if self._ready > 0.5 and super()._free_pollers > 1 and self._free_pollers < 1:
            self.history.hold_groups(now, self._ready + self._behind)

    def note(self, now: float) -> None:
        """Write down where it stands."""
        super().note(now)
        depth = self._depth + self._held + self._backlog + self._behind
        self.history.depth.set(now, depth)
        self.history.blocked.set(now, self._behind)
        positions = [*(each.position for each in self._free), *self._held_up.first_positions]
        first = min(positions, default=self._came)
        if depth > 0.5 and self._coming:
            number = min(bisect_left(self._coming, (first + _DUST, 0.0)), len(self._coming) - 1)
            self.history.age.set(now, now - self._coming[number][1])

    @property
    def _backlog(self) -> float:
        return self._free.backlog(self._came)

    @property
    def _ready(self) -> float:
        return self._depth + self._backlog

    @property
    def _free_pollers(self) -> float:
        """How many batches more may be in work: one of a group at a time."""
        pollers = super()._free_pollers
        groups = self._free.number
        waiting = self._depth + self._free.with_messages(self._came)
        return min(pollers, waiting * max(0.0, 1 - self._batches.total / groups) if groups else waiting)

    def _arrive(self, arrivals: float, now: float) -> None:
        if not arrivals:
            return
        each = arrivals / self._groups
        self._behind += each * (self._groups - self._free.number)
        self._came += each
        self._coming.append((self._came, now))

    def _take(self, messages: float, size: float, now: float) -> list[Cohort]:
        """Take messages off the queue: those that came again, then those of the groups that have waited longest."""
        of_others = min(messages, self._depth)
        taken = super()._take(of_others, size, now)
        messages -= of_others
        begun = done = 0.0
        of_each = max(self._step / self.function.function.duration.mean, _DUST)  # one after the other
        for groups in self._free:
            if messages <= _DUST:
                break
            here = min(self._came - groups.position, of_each, messages / groups.number)
            if here <= 0:
                continue
            messages -= here * groups.number
            groups.position += here
            failing, behind, number = self._hold_up(groups, here, size, now)
            done += here * (groups.number + number) - failing
            begun += here * (groups.number + number) - behind
        self._free.merge(self._came)
        if done > _DUST:
            taken.append(Cohort(now, 1, done, done / size, now))
            self._began = begun / done
        return taken

    def _hold_up(self, groups: Groups, here: float, size: float, now: float) -> tuple[float, float, float]:
        """Hold up those of some groups whose batch has a message that fails.

        Give how many messages come again, how many of them are not begun, and how many groups that are.
        """
        part = self.queue.failing
        if not part:
            return 0.0, 0.0, 0.0
        size = max(1.0, min(size, self._came - groups.position + here))
        spoilt = 1 - (1 - part) ** size
        number = min(groups.number, groups.number * here / size * spoilt)
        # Of those before the one that fails, the mean: Σ i (1 − p)^i p, divided by how many batches have one.
        before = ((1 - part) * (1 - (1 - part) ** size) / part - size * (1 - part) ** size) / spoilt
        failing = size - before if self.queue.reports_failures else size
        behind = size - before - 1
        held = HeldUp(number, groups.position, failing)
        groups.number -= number
        self._behind += number * (self._came - held.position)
        self._failing += number * failing
        self.history.failed.add(now, number * failing)
        self._held_up.put(held, self._number)
        return number * failing, number * behind, number

    def _retry(self, held: HeldUp, room: float, now: float) -> None:
        """Receive again what fails."""
        function = self.function.function
        before = 0.0 if self.queue.reports_failures else (held.failing - 1) / 2
        duration = function.duration.of(1 + before)
        begun = self.function.begin(held.number, duration, room, now)
        ends = duration.ends(self._step, function.timeout)
        each = min(1.0, duration.mean / self._step)
        self._batches.add(begun.total * each, ends)
        # The batch is filled up with those behind, which come again with it.
        together = min(self.queue.batch_size, held.failing + self._came - held.position)
        self.history.failed.add(now, held.number * max(held.failing, together))
        held.receives += 1
        self._held_up.put(held, self._number)

    def _end(self, now: float) -> None:
        """Let what less than half of a group still has to do be done: chance has it that no group has so much."""
        if not self._held_up and not self._retried:
            return
        if self._groups - self._free.number + self._free.with_messages(self._came) >= _LEFT:
            return
        self.history.done.add(now, self._backlog + self._behind)
        self.history.lost.add(now, self._failing)
        self._free = FreeGroups(self._groups, self._came)
        self._held_up.clear()
        self._retried.clear()
        self._behind = self._failing = 0.0

    def _forget(self, held: HeldUp) -> None:
        self._behind -= held.number * (self._came - held.position)
        self._failing -= held.number * held.failing
        if not self._held_up and not self._retried:
            self._behind = self._failing = 0.0

    def _fate(self, cohort: Cohort, size: float) -> Fate:  # noqa: ARG002 -- a standard queue's rests on it
        """Say what becomes of a batch; those of it that fail have been taken out."""
        return Fate(size * self._began)
