"""A queue and its mapping, message by message.

The documentation does not say in which order batches that were throttled are tried again; here the one that has waited
longest is first.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .entries import Fifo
from .messages import GroupedMessages, Message, Waiting

if TYPE_CHECKING:
    from .entries import Queue
    from .event_functions import EventFunctions
    from .history import EntryHistory


class _Batch:
    """A batch that a poller holds.

    Attributes
    ----------
    received
        When.
    begun, over
        Whether its invocation was begun, and whether its messages are visible again.
    """

    def __init__(self, messages: list[Message], received: float) -> None:
        self.messages, self.received = messages, received
        self.begun = self.over = False


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
        self._contents = queue.contents(functions.chance)
        self._is_fifo = isinstance(queue, Fifo)
        kind = GroupedMessages if self._is_fifo else Waiting
        self._visible: Waiting = kind(queue.max_receive_count)
        self._arrived = self._batches = 0
        self._allowed = queue.first_batches
        self._waiting: deque[_Batch] = deque()
        self._held = 0  # messages of those batches
        functions.when_there_is_room(queue.function, self._try_waiting)

    def arrive(self, now: float) -> None:
        """Take a message."""
        self._clock.open += 1
        key, is_bad = next(self._contents)
        self._visible.add(Message(self._arrived, now, key, is_bad))
        self._arrived += 1
        self._poll(now)

    def tick(self, now: float, seconds: float) -> None:
        """Let pollers come up that were too few for so many seconds."""
        self._note_age(now)
        if self._visible.is_ready and self._batches >= int(self._allowed):
            more = self._queue.pollers.more_per_second * seconds
            self._allowed = min(self._queue.most_batches, self._allowed + more)
        self._poll(now)

    def _poll(self, now: float) -> None:
        self._try_waiting(now)
        while self._visible.is_ready and self._batches < int(self._allowed):
            messages, lost = self._visible.receive(self._queue.batch_size)
            if lost:
                self._history.lost.add(now, lost)
                self._clock.close(now, lost)
            if not messages:
                continue
            batch = _Batch(messages, now)
            self._batches += 1
            if not self._begin(batch, now):
                self._history.throttled.add(now)
                self._waiting.append(batch)
                self._held += len(batch.messages)
                again = now + self._queue.visibility_timeout
                self._clock.at(again, lambda then, batch=batch: self._give_up(batch, then))
        if self._visible.is_ready:
            self._history.hold_back(now, at_maximum=int(self._allowed) >= self._queue.most_batches)
        elif self._visible:
            self._history.hold_groups(now, len(self._visible))
        self._note(now)

    def _begin(self, batch: _Batch, now: float) -> bool:
        queue, history = self._queue, self._history

        def ended(then: float, is_good: bool) -> None:
            self._note_age(then)
            self._batches -= 1
            failed = self._failed(batch.messages) if is_good else batch.messages
            done = batch.messages
            if failed:
                numbers = {message.number for message in failed}
                done = [message for message in done if message.number not in numbers]
            self._visible.end(done, failed)
            batch.messages = failed
            if done:
                self._clock.close(then, len(done))
                history.done.add(then, len(done))
            if failed:
                history.failed.add(then, len(failed))
                again = queue.visible_again(batch.received, then)
                self._clock.at(again, lambda later: self._show(batch, later))
            self._poll(then)

        seconds = self._functions.duration(queue.function, self._tried(batch.messages))
        batch.begun = self._functions.invoke(queue.function, now, seconds, ended)
        if batch.begun:
            history.waited += sum(now - message.arrived for message in batch.messages)
        return batch.begun

    def _failed(self, messages: list[Message]) -> list[Message]:
        """Give the messages that come again after an invocation."""
        if not self._queue.reports_failures:
            return messages if any(message.is_bad for message in messages) else []
        if not self._is_fifo:
            return [message for message in messages if message.is_bad]
        blocked: set[str] = set()
        failed = []
        for message in messages:
            if message.is_bad:
                blocked.add(message.key)
            if message.key in blocked:
                failed.append(message)
        return failed

    def _tried(self, messages: list[Message]) -> int:
        """Give how many messages of a batch are begun: of a FIFO queue, none behind one that failed."""
        if not self._is_fifo:
            return len(messages)
        if self._queue.reports_failures:
            failed = self._failed(messages)
            return len(messages) - len(failed) + len({message.key for message in failed})
        return next((number for number, message in enumerate(messages, 1) if message.is_bad), len(messages))

    def _give_up(self, batch: _Batch, now: float) -> None:
        if batch.begun:
            return
        batch.over = True
        self._held -= len(batch.messages)
        self._batches -= 1
        self._show(batch, now)

    def _show(self, batch: _Batch, now: float) -> None:
        self._visible.show(batch.messages)
        self._poll(now)

    def _note(self, now: float) -> None:
        self._history.depth.set(now, len(self._visible) + self._held)
        self._note_age(now)
        if self._is_fifo:
            self._history.blocked.set(now, self._visible.blocked)

    def _note_age(self, now: float) -> None:
        oldest = self._visible.oldest
        self._history.age.set(now, now - oldest if oldest is not None else 0.0)

    def _try_waiting(self, now: float) -> None:
        while self._waiting:
            batch = self._waiting[0]
            if not batch.over:
                if not self._begin(batch, now):
                    break
                self._held -= len(batch.messages)
                self._note(now)
            self._waiting.popleft()
