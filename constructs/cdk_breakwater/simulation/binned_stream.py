"""A stream as amounts: lanes that get equally many records are one queue, which is read by so many pollers."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from .binned_queue import BinnedQueue, Fate
from .entries import Pollers
from .failing import Failing
from .history import Levels
from .invocation import Outcome
from .keys import parts_of_lanes
from .stream_mapping import StreamMapping, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .application import Application
    from .binned_function import BinnedFunction
    from .cohorts import Cohort
    from .entries import Stream
    from .history import EntryHistory

_FEWEST_FAILING, _FEWEST, _MOST = 100, 5_000, 50_000


class BinnedStream:
    """A stream."""

    def __init__(
        self, stream: Stream, function: BinnedFunction, application: Application, step: float, history: EntryHistory
    ) -> None:
        self.name, self.function, self.history = stream.name, function, history
        lanes = parts_of_lanes(stream.keys, stream.shards, stream.factor)
        self._parts: list[tuple[float, _Lanes]] = []
        for part, number in sorted(lanes.items(), reverse=True):
            pollers = Pollers(stream.pollers.first, 0, number)
            alike = replace(stream, maximum_concurrency=number, pollers=pollers)
            # Its counts are those of the stream; how many wait, and for how long, is its own.
            own = copy.copy(history)
            own.depth, own.age = Levels(step), Levels(step)
            of_lanes = _Lanes(alike, function, application, step, own, is_alone=lanes.total() == 1)
            self._parts.append((part * number, of_lanes))
        each = [stream.load.total * part for part, number in lanes.items() for _ in range(number)]
        history.lanes = each + [0.0] * (stream.shards * stream.factor - len(each))

    @property
    def open(self) -> float:
        """Records that are neither done nor given up."""
        return sum(lanes.open for _, lanes in self._parts)

    @property
    def rests_until(self) -> float:
        """The step at which it has something to do again; the present one where it has now."""
        return min(lanes.rests_until for _, lanes in self._parts)

    def advance(self, number: int, arrivals: float) -> None:
        """Go to a step: what ends in it has ended, what comes has come."""
        for part, lanes in self._parts:
            lanes.advance(number, arrivals * part)

    def work(self, room: Callable[[], float], now: float) -> None:
        """Let lanes read, those with the most records first, and begin what there is room for."""
        for _, lanes in self._parts:
            lanes.work(room, now)
            if lanes.history.held_back is not None:
                self.history.hold_back(lanes.history.held_back, at_maximum=True)

    def lose_connections(self, now: float) -> None:
        """Fail what is at work, as a failover does."""
        for _, lanes in self._parts:
            lanes.lose_connections(now)

    def note(self, now: float) -> None:
        """Write down where it stands."""
        for _, lanes in self._parts:
            lanes.note(now)
        self.history.depth.set(now, sum(lanes.history.depth.last for _, lanes in self._parts))
        self.history.age.set(now, max(lanes.history.age.last for _, lanes in self._parts))


class _Lanes(BinnedQueue):
    """Lanes that get equally many records."""

    def __init__(
        self,
        stream: Stream,
        function: BinnedFunction,
        application: Application,
        step: float,
        history: EntryHistory,
        *,
        is_alone: bool,
    ) -> None:
        super().__init__(stream, function, application, step, history)
        self._stream, self._is_alone = stream, is_alone

    @property
    def _is_held_back(self) -> bool:
        """Whether more wait than the next batches take."""
        return self._ready > self.queue.most_batches * self.queue.batch_size

    def _fate(self, cohort: Cohort, size: float) -> Fate:
        stream = self._stream
        if not cohort.bad or stream.max_receive_count is None:
            return Fate(size)
        mapping = StreamMapping(max(1, round(size)), stream.max_receive_count - 1, splits=stream.splits)
        tried, lost, failed = _of_each_record(mapping, cohort.bad, stream.reports_failures, self._is_alone)
        return Fate(size * tried, 0.0, lost, size * failed)


@lru_cache(maxsize=4096)
def _of_each_record(
    mapping: StreamMapping, failing: float, reports_failures: bool, is_alone: bool
) -> tuple[float, float, float]:
    """Give how often a record is begun, is given up and is in a failed invocation, on average over some thousand.

    Those that fail come at equal distances; of these, one lane of several gets some as chance has it.
    """
    count = int(min(_MOST, max(_FEWEST, _FEWEST_FAILING / failing)))
    count = max(1, count // mapping.batch_size) * mapping.batch_size
    chances = Failing(failing)
    bad = {number for number in range(count) if chances.next_one()}
    if not is_alone:
        bad = set(Random(mapping.batch_size).sample(range(count), len(bad)))  # noqa: S311 -- places

    def invoke(records: Sequence[int]) -> Outcome:
        first = next((number for number, record in enumerate(records) if record in bad), None)
        if first is None:
            return Outcome(len(records))
        is_error = not reports_failures or (mapping.splits and not first and len(records) > 1)
        return Outcome(first + 1, () if is_error else (records[first],), error=is_error)

    history = read(mapping, count, invoke)
    return history.seconds / count, len(history.given_up) / count, history.again / count
