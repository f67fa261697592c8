"""Invocations, one by one: the room that a function has, its environments, and their connections."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from .environments import Environments, Servers
from .pools import Pool

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from .application import Application
    from .environments import Environment
    from .event_clock import Clock
    from .history import History

    Borrowed: TypeAlias = Callable[[float, float, tuple[Pool, ...], bool], None]

Ended: TypeAlias = "Callable[[float, bool], None]"
"""Hears when an invocation has ended, and whether it did its work."""


class EventFunctions:
    """All functions of an application.

    Parameters
    ----------
    application, history
        Of the run.

    Attributes
    ----------
    clock, chance
        Of the run.
    """

    def __init__(self, application: Application, history: History, clock: Clock, chance: Random) -> None:
        self._app, self._history, self.clock, self.chance = application, history, clock, chance
        self._servers = Servers(application.servers, history.servers)
        self._functions = {
            name: Environments(function, application, self._servers, history.functions[name])
            for name, function in application.functions.items()
        }
        self._pools = {
            name: Pool(server, history.servers[name], clock.at)
            for name, server in application.servers.items()
            if server.is_proxy
        }
        self._unreserved = 0
        self._waiting: dict[str, list[Callable[[float], None]]] = {}

    def when_there_is_room(self, name: str, then: Callable[[float], None]) -> None:
        """Let something know, each time, when an invocation has ended whose place it might take."""
        self._waiting.setdefault(name, []).append(then)

    def duration(self, name: str, requests: int = 1) -> float:
        """Draw how long a function works on a request, or on several, one after the other."""
        return self._functions[name].function.duration.sample_of(requests, self.chance)

    def invoke(self, name: str, now: float, seconds: float, ended: Ended) -> bool:
        """Begin an invocation; False where there is no room for it."""
        environments = self._functions[name]
        reserved = environments.function.reserved
        if self._unreserved >= self._app.unreserved if reserved is None else environments.busy >= reserved:
            return False
        taken = environments.take(now)
        if taken is None:
            return False
        self._unreserved += reserved is None
        self._change_busy(now, 1)
        environment, is_new = taken

        def work(then: float) -> None:
            current = environment.connected == self._servers.failovers
            if not current and not self._servers.connect(environments.function, environment, then):
                self.clock.at(then + self._app.refused, lambda later: self._end(name, environment, later, None, ended))
                return
            names = [each for each in environments.function.connections if each in self._pools]
            self._borrow(names, then, then + environments.function.timeout, (), do)

        def do(then: float, deadline: float, lent: tuple[Pool, ...], is_connected: bool) -> None:
            lasts = seconds if is_connected else 0.0
            is_late = lasts > deadline - then or then >= deadline
            if is_late:
                self._history.functions[name].timeouts.add(deadline)
            begun = self._servers.failovers if is_connected and not is_late else None

            def end(later: float) -> None:
                for pool in lent:
                    pool.give_back(later)
                self._end(name, environment, later, begun, ended)

            self.clock.at(min(then + lasts, max(then, deadline)), end)

        if is_new and environments.function.cold_start:
            self.clock.at(now + environments.function.cold_start, work)
        else:
            work(now)
        return True

    @property
    def idle_until(self) -> float:
        """When the next environment will have had no work for long; without end where none rests."""
        return min((environments.idle_until for environments in self._functions.values()), default=math.inf)

    def end_idle(self, now: float) -> None:
        """End the environments that have had no work for long."""
        for environments in self._functions.values():
            environments.end_idle(now)

    def deploy(self, now: float) -> None:
        """Take new code."""
        for environments in self._functions.values():
            environments.deploy(now)

    def fail(self, now: float) -> None:
        """Let the servers fail over."""
        self._servers.fail(now)
        for pool in self._pools.values():
            pool.fail()

    def recover(self, now: float) -> None:
        """Let the servers take connections again."""
        self._servers.available = True
        for pool in self._pools.values():
            pool.recover(now)

    def _borrow(self, names: list[str], now: float, deadline: float, lent: tuple[Pool, ...], answer: Borrowed) -> None:
        """Borrow a connection of each proxy, one after the other."""
        if not names:
            answer(now, deadline, lent, True)
            return
        pool, patience = self._pools[names[0]], self._app.servers[names[0]].borrow_timeout or 0.0

        def answered(then: float, is_lent: bool) -> None:
            if is_lent:
                self._borrow(names[1:], then, deadline, (*lent, pool), answer)
                return
            if then < deadline:
                of_proxy = self._history.servers[names[0]]
                (of_proxy.refused if self._servers.available else of_proxy.unavailable).add(then)
            answer(then, deadline, lent, False)

        pool.borrow(now, min(patience, deadline - now), answered)

    def _end(self, name: str, environment: Environment, now: float, begun: int | None, ended: Ended) -> None:
        """End an invocation, which is good where its connection was not lost since it was begun."""
        environments = self._functions[name]
        environments.give_back(environment, now)
        self._change_busy(now, -1)
        is_reserved = environments.function.reserved is not None
        self._unreserved -= not is_reserved
        has_servers = bool(environments.function.connections)
        ended(now, begun is not None and (begun == self._servers.failovers or not has_servers))
        for function in (name,) if is_reserved else self._app.functions:
            for then in self._waiting.get(function, ()):
                then(now)

    def _change_busy(self, now: float, change: int) -> None:
        self._history.concurrency.set(now, self._history.concurrency.last + change)
