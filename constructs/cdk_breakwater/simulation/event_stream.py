"""A stream and its mapping, record by record: each lane has one batch at a time, until it is done or given up.

Sources: as of `stream_mapping`, which reads one lane by itself.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .keys import lane_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .entries import Stream
    from .event_functions import EventFunctions
    from .history import EntryHistory


class _Record(NamedTuple):
    arrived: float
    is_bad: bool  # fails each time


class _Lane:
    """What one lane has to do.

    Attributes
    ----------
    records
        Those that wait.
    parts
        Of the batch in work, each with its retries so far; the next one last.
    is_new
        Whether that batch has not been begun.
    """

    def __init__(self) -> None:
        self.records: deque[_Record] = deque()
        self.parts: list[tuple[Sequence[_Record], int]] = []
        self.is_new = False


class EventStream:
    """A stream.

    Parameters
    ----------
    stream
        What it is.
    history
        Of it.
    functions
        Of the run.
    """

    def __init__(self, stream: Stream, history: EntryHistory, functions: EventFunctions) -> None:
        self._stream, self._history, self._functions = stream, history, functions
        self._clock = functions.clock
        self._contents = stream.contents(functions.chance)
        self._lanes = [_Lane() for _ in range(stream.shards * stream.factor)]
        self._waiting: deque[_Lane] = deque()  # lanes whose batch found no room
        self._depth = 0
        history.lanes = [0.0] * len(self._lanes)
        functions.when_there_is_room(stream.function, self._try_waiting)

    def arrive(self, now: float) -> None:
        """Take a record."""
        self._clock.open += 1
        key, is_bad = next(self._contents)
        number = lane_of(key, self._stream.shards, self._stream.factor)
        lane = self._lanes[number]
        self._history.lanes[number] += 1
        lane.records.append(_Record(now, is_bad))
        self._depth += 1
        if not lane.parts:
            self._read(lane, now)
        self._history.depth.set(now, self._depth)

    def tick(self, now: float, seconds: float) -> None:  # noqa: ARG002 -- lanes do not grow
        """Write down where it stands."""
        heads = [lane.records[0].arrived for lane in self._lanes if lane.records]
        self._history.depth.set(now, self._depth)
        self._history.age.set(now, now - min(heads) if heads else 0.0)

    def _read(self, lane: _Lane, now: float) -> None:
        """Begin the next batch of a lane."""
        if not lane.records:
            return
        lane.is_new = True
        batch = [lane.records.popleft() for _ in range(min(len(lane.records), self._stream.batch_size))]
        lane.parts.append((batch, 0))
        if lane.records:
            self._history.hold_back(now, at_maximum=True)
        if not self._begin(lane, now):
            self._history.throttled.add(now)
            self._waiting.append(lane)

    def _begin(self, lane: _Lane, now: float) -> bool:
        part, _ = lane.parts[-1]
        bad = next((number for number, record in enumerate(part) if record.is_bad), None)

        def ended(then: float, is_good: bool) -> None:
            self._end(lane, bad if is_good else 0, then, is_error=not is_good)

        # A function ends with the record that fails.
        tried = len(part) if bad is None else bad + 1
        seconds = self._functions.duration(self._stream.function, tried)
        if not self._functions.invoke(self._stream.function, now, seconds, ended):
            return False
        if lane.is_new:
            lane.is_new = False
            self._history.waited += sum(now - record.arrived for record in part)
            self._history.age.set(now, now - part[0].arrived)
        self._depth -= len(part)
        return True

    def _end(self, lane: _Lane, bad: int | None, now: float, *, is_error: bool) -> None:
        """Note what became of an invocation, and begin the next one of the lane."""
        part, spent = lane.parts.pop()
        stream = self._stream
        if bad is None:
            self._done(len(part), now)
        else:
            self._history.failed.add(now, len(part) - (bad if stream.reports_failures else 0))
            if is_error or not stream.reports_failures or (stream.splits and not bad and len(part) > 1):
                self._again(lane, part, spent, now, splits=stream.splits)
            else:
                self._done(bad, now)
                self._again(lane, part[bad:], spent, now, splits=False)
        if not lane.parts:
            self._read(lane, now)
        elif not self._begin(lane, now):
            self._history.throttled.add(now)
            self._waiting.append(lane)
        self._history.depth.set(now, self._depth)

    def _again(self, lane: _Lane, part: Sequence[_Record], spent: int, now: float, *, splits: bool) -> None:
        if splits and len(part) > 1:
            middle = len(part) // 2  # splitting a batch uses up no retry
            lane.parts += [(part[middle:], spent), (part[:middle], spent)]
        elif self._stream.max_receive_count is not None and spent + 1 >= self._stream.max_receive_count:
            self._history.lost.add(now, len(part))
            self._clock.close(now, len(part))
            return
        else:
            lane.parts.append((part, spent + 1))
        self._depth += len(part)

    def _done(self, records: int, now: float) -> None:
        if records:
            self._clock.close(now, records)
            self._history.done.add(now, records)

    def _try_waiting(self, now: float) -> None:
        while self._waiting and self._begin(self._waiting[0], now):
            self._waiting.popleft()
