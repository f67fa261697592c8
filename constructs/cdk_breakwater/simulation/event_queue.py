"""A queue or stream and its mapping, message by message.

The documentation does not say in which order batches that were throttled are tried again; here the one that has waited
longest is first.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .failing import Failing

if TYPE_CHECKING:
    from .entries import Queue
    from .event_functions import EventFunctions
    from .history import EntryHistory


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


class EventQueue:
    """A queue.

    Parameters
    ----------
    queue
        What it is.
    history
        Of it.
    functions
        Of the run.
    """

    def __init__(self, queue: Queue, history: EntryHistory, functions: EventFunctions) -> None:
        self._queue, self._history, self._functions = queue, history, functions
        self._clock = functions.clock
        self._visible: deque[_Message] = deque()
        self._batches = 0
        self._failing = Failing(queue.failing)
        self._allowed = queue.first_batches
        self._waiting: deque[_Batch] = deque()
        self._held = 0  # messages of those batches
        functions.when_there_is_room(queue.function, self._try_waiting)

    def arrive(self, now: float) -> None:
        """Take a message."""
        self._clock.open += 1
        self._visible.append(_Message(now, is_bad=self._failing.next_one()))
        self._poll(now)

    def tick(self, now: float, seconds: float) -> None:
        """Let pollers come up that were too few for so many seconds."""
        if self._visible and self._batches >= int(self._allowed):
            more = self._queue.pollers.more_per_second * seconds
            self._allowed = min(self._queue.most_batches, self._allowed + more)
        self._poll(now)

    def _poll(self, now: float) -> None:
        self._try_waiting(now)
        while self._visible and self._batches < int(self._allowed):
            batch = self._receive(now)
            if not batch.messages:
                continue
            self._batches += 1
            if not self._begin(batch, now):
                self._history.throttled.add(now)
                self._waiting.append(batch)
                self._held += len(batch.messages)
                again = now + self._queue.visibility_timeout
                self._clock.at(again, lambda then, batch=batch: self._give_up(batch, then))
        if self._visible:
            self._history.hold_back(now, at_maximum=int(self._allowed) >= self._queue.most_batches)
        self._note(now)

    def _receive(self, now: float) -> _Batch:
        queue, batch = self._queue, _Batch(now)
        while self._visible and len(batch.messages) < queue.batch_size:
            message = self._visible.popleft()
            if queue.max_receive_count is not None and message.receives >= queue.max_receive_count:
                self._history.lost.add(now)
                self._clock.close(now)
                continue
            batch.messages.append(message._replace(receives=message.receives + 1))
        return batch

    def _begin(self, batch: _Batch, now: float) -> bool:
        queue, history = self._queue, self._history

        def ended(then: float, is_good: bool) -> None:
            self._batches -= 1
            failed = batch.failed(all_of_them=not is_good, reported=queue.reports_failures)
            done = len(batch.messages) - len(failed)
            batch.messages = failed
            if done:
                self._clock.close(then, done)
                history.done.add(then, done)
            if failed:
                history.failed.add(then, len(failed))
                again = queue.visible_again(batch.received, then)
                self._clock.at(again, lambda later: self._show(batch, later))
            self._poll(then)

        seconds = sum(self._functions.duration(self._queue.function) for _ in batch.messages)
        batch.begun = self._functions.invoke(queue.function, now, seconds, ended)
        if batch.begun:
            history.waited += sum(now - message.arrived for message in batch.messages)
        return batch.begun

    def _give_up(self, batch: _Batch, now: float) -> None:
        if batch.begun:
            return
        batch.over = True
        self._held -= len(batch.messages)
        self._batches -= 1
        self._show(batch, now)

    def _show(self, batch: _Batch, now: float) -> None:
        self._visible.extend(batch.messages)
        self._poll(now)

    def _note(self, now: float) -> None:
        self._history.depth.set(now, len(self._visible) + self._held)
        self._history.age.set(now, now - self._visible[0].arrived if self._visible else 0.0)

    def _try_waiting(self, now: float) -> None:
        while self._waiting:
            batch = self._waiting[0]
            if not batch.over:
                if not self._begin(batch, now):
                    break
                self._held -= len(batch.messages)
                self._note(now)
            self._waiting.popleft()
