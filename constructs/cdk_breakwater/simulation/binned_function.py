"""The environments of a function as amounts, of which a part begins and ends in every step."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .application import SCALING_PER_SECOND, SCALING_STEP
from .delay import Delay, steps_of
from .idle_environments import IdleEnvironments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from .application import Application, Function
    from .binned_server import BinnedServer
    from .duration import Duration
    from .history import FunctionHistory

_DUST = 1e-9


class Begun(NamedTuple):
    """What became of invocations that were to begin in a step.

    Attributes
    ----------
    good, good_new
        Those that reach the server in environments that were there, and in new ones.
    bad, bad_new
        Those whose connection is refused.
    """

    good: float
    good_new: float
    bad: float
    bad_new: float

    @property
    def total(self) -> float:
        """All that began."""
        return self.good + self.good_new + self.bad + self.bad_new


class BinnedFunction:
    """A function.

    An environment is connected or not, and the old code's are counted for themselves. What is at work is counted in
    environments: of invocations that are shorter than a step, one environment takes several.
    """

    def __init__(
        self,
        function: Function,
        application: Application,
        step: float,
        history: FunctionHistory,
        servers: Mapping[str, BinnedServer],
        *,
        chance: Random | None,
    ) -> None:
        self.function, self._app, self._step, self._history = function, application, step, history
        self._servers = [(servers[name], number) for name, number in function.connections.items()]
        self._chance = chance
        self.ended = 0.0
        self._good, self._bad, self._old = Delay(chance), Delay(chance), Delay()
        self._idle = IdleEnvironments()
        self._environments = self._connected = 0.0
        self._old_connected: deque[tuple[float, float]] = deque()
        self._starts, self._before = float(SCALING_STEP), -step

    @property
    def busy(self) -> float:
        """Its concurrency."""
        return self._good.total + self._bad.total + self._old.total

    @property
    def idle(self) -> float:
        """How many environments are there without work."""
        return max(0.0, self._environments - self._good.total - self._bad.total)

    @property
    def is_whole(self) -> bool:
        """Whether invocations are whole ones."""
        return self._chance is not None

    @property
    def has_servers(self) -> bool:
        """Whether it connects to any."""
        return bool(self._servers)

    def advance(self, now: float) -> None:
        """Go a step further: what ends in it has ended."""
        unconnected, connected = self._bad.step(), self._good.step()
        self.ended = connected + unconnected
        if self._chance is not None and connected and unconnected:
            # Whole ones come in some order; parts of them, all mixed.
            one, other = (connected, 0.0), (0.0, unconnected)
            for each in (one, other) if self._chance.random() < 0.5 else (other, one):
                self._idle.put(*each, now)
        else:
            self._idle.put(connected, unconnected, now)
        self._old.step()
        # What is refilled within the step counts in it.
        self._starts = min(SCALING_STEP, self._starts + (now - self._before - self._step) * SCALING_PER_SECOND)
        self._starts += self._step * SCALING_PER_SECOND
        self._before = now
        while self._old_connected and self._old_connected[0][0] <= now:
            self._hold(-self._old_connected.popleft()[1])
        for idle in self._idle.older_than(now - self._app.idle):
            self._environments -= idle.amount
            self._connect(-idle.connected)

    def begin(self, wanted: float, duration: Duration, room: float, now: float) -> Begun:
        """Let invocations begin, as many of those wanted as there is room for.

        Parameters
        ----------
        wanted
            How many.
        duration
            Of one.
        room
            How many more environments may be at work.
        now
            In seconds.
        """
        if wanted <= _DUST or room <= _DUST:
            return Begun(0.0, 0.0, 0.0, 0.0)
        step, timeout = self._step, self.function.timeout
        good, bad, room = self._in_idle(wanted, duration, room)
        good_new, bad_new = self._in_new(wanted - good - bad, duration, room, now)
        self._refuse(bad + bad_new, now)
        each = self._part_of_step(duration.mean)
        each_new = self._part_of_step(duration.mean, self.function.cold_start)
        self._good.add(good * each, duration.ends(step, timeout))
        self._good.add(good_new * each_new, duration.ends(step, timeout, later=self.function.cold_start))
        self._bad.add(bad * self._part_of_step(self._app.refused), steps_of(self._app.refused, step))
        self._bad.add(bad_new * each_new, steps_of(self._app.refused + self.function.cold_start, step))
        return Begun(good, good_new, bad, bad_new)

    def count_timeouts(self, now: float, amount: float) -> None:
        """Count invocations that will reach the timeout."""
        self._history.timeouts.add(now, amount)

    def deploy(self, now: float) -> None:
        """Take new code: the old one's environments get no more work, and hold connections until they are ended."""
        self._old.take_over(self._good)
        self._old.take_over(self._bad)
        self._old_connected.append((now + self._app.idle, self._connected))
        self._environments = self._connected = 0.0
        self._idle.clear()

    def lose_connections(self) -> None:
        """Lose all connections, as a failover does."""
        if not self._servers:
            return
        self._bad.take_over(self._good)
        self._idle.disconnect()
        self._connected = 0.0
        self._old_connected.clear()

    def note(self, now: float) -> None:
        """Write down where it stands."""
        self._history.concurrency.set(now, self.busy)
        self._history.environments.set(now, self._environments)

    def _in_idle(self, wanted: float, duration: Duration, room: float) -> tuple[float, float, float]:
        """Begin in environments that are there: how many reach the server, how many don't, what room is left."""
        good = bad = 0.0
        each, each_bad = self._part_of_step(duration.mean), self._part_of_step(self._app.refused)
        while wanted > _DUST and room > _DUST and (top := self._idle.top) is not None:
            connects = min(top.unconnected, self._free_connections())
            if top.unconnected - connects > _DUST and connects > _DUST and not top.connected:
                rest, top.unconnected = top.unconnected - connects, connects  # those that find a connection first
                part = 1.0
            else:
                rest, part = 0.0, (top.connected + connects) / top.amount
            # Of what begins, `part` reaches the server, by how many environments of each kind there are.
            environments = min(top.amount, room)
            begun = self._whole(min(wanted, environments * (part / each + (1 - part) / each_bad)))
            if begun <= _DUST:
                break
            used = begun / (part / each + (1 - part) / each_bad)
            of_connected = used * top.connected / top.amount
            of_unconnected = used - of_connected
            connecting = min(connects, of_unconnected)
            self._connect(connecting)
            good += (of_connected + connecting) / each
            bad += (of_unconnected - connecting) / each_bad
            wanted -= begun
            room -= used
            self._idle.use(of_connected, of_unconnected)
            if rest:
                self._idle.put(0.0, rest, top.since)
        return good, bad, room

    def _in_new(self, wanted: float, duration: Duration, room: float, now: float) -> tuple[float, float]:
        """Begin in new environments; give how many reach the server, and how many don't."""
        if wanted <= _DUST:
            return 0.0, 0.0
        each = self._part_of_step(duration.mean, self.function.cold_start)
        begun = self._whole(min(wanted, max(0.0, room) / each))
        if begun * each > self._starts:
            self._history.slowed.add(now, begun - self._starts / each)
            begun = self._starts / each
        if begun <= _DUST:
            return 0.0, 0.0
        self._starts -= begun * each
        self._environments += begun * each
        connected = min(begun * each, self._free_connections())
        self._connect(connected)
        return connected / each, begun - connected / each

    def _part_of_step(self, seconds: float, cold_start: float = 0.0) -> float:
        """Give which part of an environment's step an invocation takes that lasts so long."""
        return min(1.0, max(1e-6, min(seconds, self.function.timeout) + cold_start) / self._step)

    def _whole(self, amount: float) -> float:
        return float(math.floor(amount + 1e-6)) if self._chance is not None else amount

    def _connect(self, environments: float) -> None:
        self._connected += environments
        self._hold(environments)

    def _free_connections(self) -> float:
        """Give how many environments may connect."""
        return min((server.free / number for server, number in self._servers), default=math.inf)

    def _hold(self, environments: float) -> None:
        for server, number in self._servers:
            server.held = max(0.0, server.held + environments * number)

    def _refuse(self, attempts: float, now: float) -> None:
        if self._servers and attempts > 0:
            server = min(self._servers, key=lambda each: each[0].free / each[1])[0]
            (server.history.refused if server.available else server.history.unavailable).add(now, attempts)
