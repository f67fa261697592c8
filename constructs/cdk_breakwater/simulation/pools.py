"""Pools of connections that an RDS Proxy lends by the invocation, one by one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .application import Server
    from .history import ServerHistory

    Answer = Callable[[float, bool], None]
    Schedule = Callable[[float, Callable[[float], None]], None]


class _Client:
    """An invocation that waits for a connection."""

    def __init__(self, answer: Answer, since: float) -> None:
        self.answer, self.since = answer, since
        self.is_answered = False


class Pool:
    """The pool of one proxy.

    Parameters
    ----------
    server
        The proxy.
    history
        Of it.
    schedule
        Lets something happen at a time.
    """

    def __init__(self, server: Server, history: ServerHistory, schedule: Schedule) -> None:
        self._size, self._history, self._schedule = server.usable, history, schedule
        self._lent = 0
        self._waiting: deque[_Client] = deque()
        self._clients = 0
        self._is_available = True

    def borrow(self, now: float, patience: float, answer: Answer) -> None:
        """Ask for a connection: the answer says when there is one, or that there was none in time."""
        if self._is_available and self._lent < self._size:
            self._lend(now, 1)
            answer(now, True)
            return
        client = _Client(answer, now)
        self._waiting.append(client)
        self._wait(now, 1)
        self._schedule(now + patience, lambda then: self._give_up(client, then))

    def give_back(self, now: float) -> None:
        """Take back a connection, for the one who has waited longest."""
        self._lend(now, -1)
        self._serve(now)

    def fail(self) -> None:
        """Lend nothing more: those who ask wait."""
        self._is_available = False

    def recover(self, now: float) -> None:
        """Lend again."""
        self._is_available = True
        self._serve(now)

    def _serve(self, now: float) -> None:
        while self._waiting and self._is_available and self._lent < self._size:
            client = self._waiting.popleft()
            if client.is_answered:
                continue
            client.is_answered = True
            self._wait(now, -1)
            self._history.waited += now - client.since
            self._lend(now, 1)
            client.answer(now, True)

    def _give_up(self, client: _Client, now: float) -> None:
        if client.is_answered:
            return
        client.is_answered = True
        self._wait(now, -1)
        self._history.waited += now - client.since
        client.answer(now, False)

    def _lend(self, now: float, change: int) -> None:
        self._lent += change
        self._history.connections.set(now, self._lent)

    def _wait(self, now: float, change: int) -> None:
        self._clients += change
        if change > 0 and self._is_available and self._history.first_waited is None:
            self._history.first_waited = now
        self._history.waiting.set(now, self._clients)
