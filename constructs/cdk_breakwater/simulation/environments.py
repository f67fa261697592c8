"""Execution environments of functions and the connections that they hold, one by one."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .application import SCALING_PER_SECOND, SCALING_STEP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .application import Application, Function, Server
    from .history import FunctionHistory, ServerHistory


@dataclass(eq=False)
class Environment:
    """One environment.

    Attributes
    ----------
    generation
        Which code it has.
    connected
        Since which failover it has held its connections; None while it holds none.
    since
        Since when it has had no work.
    """

    generation: int
    connected: int | None = None
    since: float = 0.0


@dataclass(eq=False)
class Servers:
    """The servers' connections.

    Attributes
    ----------
    failovers
        How many there have been: connections of before are lost.
    available
        Whether they take connections now.
    """

    known: Mapping[str, Server]
    history: Mapping[str, ServerHistory]
    failovers: int = 0
    available: bool = True
    held: dict[str, int] = field(default_factory=dict)

    def connect(self, function: Function, environment: Environment, now: float) -> bool:
        """Open the connections of an environment, or refuse them."""
        for name, number in self._of(function):
            if not self.available:
                self.history[name].unavailable.add(now)
                return False
            if self.held.get(name, 0) + number > self.known[name].usable:
                self.history[name].refused.add(now)
                return False
        environment.connected = self.failovers
        self._change(function, now, 1)
        return True

    def close(self, function: Function, environment: Environment, now: float) -> None:
        """Close what an environment holds, as its end does."""
        if environment.connected == self.failovers:
            self._change(function, now, -1)
        environment.connected = None

    def fail(self, now: float) -> None:
        """Lose all connections, and take none."""
        self.failovers += 1
        self.available = False
        for name in self.held:
            self.held[name] = 0
            self.history[name].connections.set(now, 0)

    def _of(self, function: Function) -> list[tuple[str, int]]:
        """Give the servers whose connections its environments hold."""
        return [each for each in function.connections.items() if not self.known[each[0]].is_proxy]

    def _change(self, function: Function, now: float, sign: int) -> None:
        for name, number in self._of(function):
            self.held[name] = self.held.get(name, 0) + sign * number
            self.history[name].connections.set(now, self.held[name])


class Environments:
    """The environments of one function.

    Parameters
    ----------
    function
        The function.
    application
        For the times that environments take.
    servers
        Where they connect.
    history
        Of the function.
    """

    def __init__(
        self, function: Function, application: Application, servers: Servers, history: FunctionHistory
    ) -> None:
        self.function = function
        self.busy = 0
        self._application, self._servers, self._history = application, servers, history
        self._idle: deque[Environment] = deque()
        self._old: deque[Environment] = deque()
        self._all = 0
        self._generation = 0
        self._starts, self._starts_at = float(SCALING_STEP), 0.0

    def take(self, now: float) -> tuple[Environment, bool] | None:
        """Give one for an invocation, and whether it is new; None where the scaling rate allows no more.

        The one that was used last is used first, as Lambda does to let the others go.
        """
        self.end_idle(now)
        if self._idle:
            return self._work(self._idle.pop(), now), False
        self._starts = min(SCALING_STEP, self._starts + (now - self._starts_at) * SCALING_PER_SECOND)
        self._starts_at = now
        if self._starts < 1:
            self._history.slowed.add(now)
            return None
        self._starts -= 1
        self._all += 1
        self._history.environments.set(now, self._all)
        return self._work(Environment(self._generation), now), True

    def give_back(self, environment: Environment, now: float) -> None:
        """Take one back whose invocation has ended."""
        self.busy -= 1
        self._history.concurrency.set(now, self.busy)
        environment.since = now
        (self._idle if environment.generation == self._generation else self._old).append(environment)

    @property
    def idle_until(self) -> float:
        """When the next one will have had no work for long; without end where none rests."""
        since = (waiting[0].since for waiting in (self._idle, self._old) if waiting)
        return min(since, default=math.inf) + self._application.idle

    def end_idle(self, now: float) -> None:
        """End those that have had no work for long."""
        for waiting in (self._idle, self._old):
            while waiting and waiting[0].since + self._application.idle <= now:
                environment = waiting.popleft()
                self._servers.close(self.function, environment, now)
                if environment.generation == self._generation:
                    self._all -= 1
                    self._history.environments.set(now, self._all)

    def deploy(self, now: float) -> None:
        """Take new code: those of the old one get no more work, and keep their connections until they are ended."""
        self._generation += 1
        self._old.extend(self._idle)
        self._idle.clear()
        self._all = 0
        self._history.environments.set(now, 0)

    def _work(self, environment: Environment, now: float) -> Environment:
        self.busy += 1
        self._history.concurrency.set(now, self.busy)
        return environment
