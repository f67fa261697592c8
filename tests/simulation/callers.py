"""Functions that call the provider themselves: the real `breakwater_runtime.acquire` on virtual time, in trouble."""

from __future__ import annotations

import io
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from botocore.exceptions import ClientError, ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from greenlet import getcurrent

from breakwater_runtime import deadline, quota_slots
from breakwater_runtime.errors import ConfigurationError, ConnectionUnavailable
from breakwater_runtime.quota_signals import RetryAfter
from handlers.quota_dispatcher.acquirer import answer
from tests.simulation.services import refusal
from tests.simulation.world import SimulatedHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from breakwater_runtime.deadline import Deadline
    from tests.simulation.hub import Machine
    from tests.simulation.world import Environment, World

TIMEOUT = 30_000
"""Of a function that calls."""
ACQUIRER_TIMEOUT = 30_000
ARRIVES = 900
"""So long after a caller's end the provider may still count what it has sent."""
_running: dict[object, Caller] = {}


class _CallError(Exception):
    """Of a call."""


@dataclass
class Caller:
    """One invocation of such a function."""

    world: World
    machine: Machine
    over: int
    """Lambda ends it then."""
    weight: int = 1
    within: float | None = None
    outcome: str = ""
    retry_after: float = 0

    def get_remaining_time_in_millis(self) -> int:
        return self.over - self.world.reading(self.machine).wall

    def run(self) -> None:
        _running[getcurrent()] = self
        try:
            self._work()
        except quota_slots.QuotaBusy as busy:
            self.outcome, self.retry_after = "busy", busy.retry_after
        except ConfigurationError:
            self.outcome = "refused"
        except (ConnectionUnavailable, ClientError, HTTPClientError, RetryAfter, _CallError):
            self.outcome = self.outcome or "failed"
        finally:
            del _running[getcurrent()]

    def _work(self) -> None:
        with quota_slots.acquire(self, weight=self.weight, within=self.within) as slot:
            self.outcome = "acquired"
            self._call(slot)

    def _call(self, slot: quota_slots.QuotaSlot) -> None:
        world, random, now = self.world, self.world.random, self.world.hub.now
        troubled = now < world.faults.until
        duration = random.randint(*world.durations)
        if troubled and random.random() < world.trouble.slow_calls:
            duration = random.randint(500, TIMEOUT)
        latest = min(duration, self.over + ARRIVES - now)
        latest = min(latest, *(limit.arrives - 20 if limit.arrives else latest for limit in world.provider.limits))
        real = random.randint(-(-self.weight // 3), self.weight)
        world.provider.count(now + random.choice((0, latest, random.randint(0, latest))), real)
        world._strike(self.machine)
        world.hub.sleep(self.machine, duration)
        if random.random() < 0.5:
            slot.used(real)
        if world.hub.now < world.provider_closed_until or (troubled and random.random() < world.trouble.signals):
            raise RetryAfter(2)
        if troubled and random.random() < world.trouble.failures:
            raise _CallError

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Be Lambda's Invoke of the acquirer."""
        world, hub, random = self.world, self.world.hub, self.world.random
        hub.sleep(self.machine, 1)
        box: list[Any] = []
        faults, kind = world.faults, random.random() if hub.now < world.faults.until else 1.0
        lost, refused, silent = faults.lost, faults.lost + faults.refused, faults.lost + faults.refused
        silent += faults.answer_lost
        payload = json.loads(request["Payload"])

        def done(answer: dict[str, Any] | None) -> None:
            if refused <= kind < silent:
                return
            failed = {"FunctionError": "Unhandled"} if answer is None else {}
            content = {"errorMessage": "it failed"} if answer is None else answer
            body = io.BytesIO(json.dumps(content).encode())
            hub.after(random.randint(2, 8), lambda: hub.put(box, {"Payload": body, **failed}))

        def work(environment: Environment) -> dict[str, Any]:
            host = SimulatedHost(world, environment.machine)
            clients = world._clients(environment.machine)
            return answer(payload, environment.settings, host=host, clients=clients, deployed=environment.deployed)

        if kind < lost:
            hub.after(1_000, lambda: hub.put(box, ConnectTimeoutError(endpoint_url="x")))
        elif kind < refused:
            hub.after(5, lambda: hub.put(box, refusal("TooManyRequestsException", 429)))
        else:
            late = hub.now < faults.until and random.random() < faults.late
            delay = random.randint(1_000, 9_000) if late else random.randint(2, 8)
            hub.after(delay, lambda: world._invoke("acquirer", work, ACQUIRER_TIMEOUT, done))
            hub.after(10_000, lambda: hub.put(box, ReadTimeoutError(endpoint_url="x")))
        hub.wait(self.machine, box)
        if isinstance(box[0], Exception):
            raise box[0]
        return box[0]


def call(world: World, *, weight: int = 1, within: float | None = None) -> Caller:
    """Let such a function be invoked now."""
    hub, machine = world.hub, world._machine()
    caller = Caller(world, machine, hub.now + TIMEOUT, weight, within)
    ended = [False]

    def run() -> None:
        caller.run()
        ended[0] = True

    def over() -> None:
        machine.dead = machine.dead or not ended[0]

    hub.spawn(machine, run)
    hub.after(TIMEOUT, over)
    world._haunt(machine, lambda: ended[0])
    return caller


@contextmanager
def on_virtual_time() -> Iterator[None]:
    """Let `acquire` live in its world: clocks, sleep and the way to Lambda."""

    def caller() -> Caller:
        return _running[getcurrent()]

    def sleep(seconds: float) -> None:
        caller().world.hub.sleep(caller().machine, max(1, ceil(1_000 * seconds)))

    def monotonic() -> float:
        return caller().world.reading(caller().machine).monotonic / 1_000

    def time() -> float:
        return caller().world.reading(caller().machine).wall / 1_000

    def ask(
        target: str,
        deadline: Deadline,
        call: Callable[[], Any],
        is_repeatable: Callable[[Exception], bool],
        *,
        answer_seconds: float = 3,
    ) -> Any:
        while True:
            if deadline.remaining() <= 0:
                raise ConnectionUnavailable(target, int(answer_seconds))
            try:
                return call()
            except Exception as error:
                if not is_repeatable(error):
                    raise
            sleep(0.05)

    def client(*_: object, **__: object) -> Caller:
        return caller()

    with (
        patch.multiple(quota_slots, monotonic=monotonic, time=time, sleep=sleep, ask=ask, client=client),
        patch.object(deadline, "monotonic", monotonic),
        patch.dict(os.environ, {"BREAKWATER_ACQUIRE": "acquirer"}),
    ):
        yield
