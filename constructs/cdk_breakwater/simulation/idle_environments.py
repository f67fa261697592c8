"""Environments without work as amounts, the one that was used last on top."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DUST = 1e-9


@dataclass
class Idle:
    """Some that have had no work since one time.

    Attributes
    ----------
    connected, unconnected
        How many of them hold their connections, and how many have none.
    since
        In seconds.
    """

    connected: float
    unconnected: float
    since: float

    @property
    def amount(self) -> float:
        """How many there are."""
        return self.connected + self.unconnected


class IdleEnvironments:
    """A stack of them."""

    def __init__(self) -> None:
        self._stack: deque[Idle] = deque()

    def put(self, connected: float, unconnected: float, now: float) -> None:
        """Put some on top, whose work has ended."""
        if connected + unconnected > _DUST:
            self._stack.append(Idle(connected, unconnected, now))

    @property
    def top(self) -> Idle | None:
        """Those that are used next."""
        return self._stack[-1] if self._stack else None

    def use(self, connected: float, unconnected: float) -> None:
        """Take some off the top."""
        top = self._stack[-1]
        top.connected = max(0.0, top.connected - connected)
        top.unconnected = max(0.0, top.unconnected - unconnected)
        if top.amount <= _DUST:
            self._stack.pop()

    def older_than(self, since: float) -> Iterator[Idle]:
        """Take out those that have had no work since before."""
        while self._stack and self._stack[0].since <= since:
            yield self._stack.popleft()

    def disconnect(self) -> None:
        """Lose their connections."""
        for each in self._stack:
            each.connected, each.unconnected = 0.0, each.amount

    def clear(self) -> None:
        """Take out all."""
        self._stack.clear()
