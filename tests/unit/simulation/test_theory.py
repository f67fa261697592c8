"""The exact model beside formulas that are proven: Erlang, Pollaczek and Khinchine, Crommelin, Little."""

from __future__ import annotations

import math
from random import Random

import pytest

from cdk_breakwater.limits.erlang import erlang_b
from cdk_breakwater.simulation.application import Application, Direct, Function, Queue
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.history import History
from cdk_breakwater.simulation.load import poisson
from cdk_breakwater.simulation.run import Model, simulate

from .bursts import direct, queue


class Exponential(Duration):
    """Durations without memory."""

    def sample(self, chance: Random) -> float:
        return chance.expovariate(1 / self.mean)


def run(entry: Queue | Direct, duration: Duration, *, reserved: int | None = None, seed: int = 1) -> History:
    """Let Poisson arrivals meet a function without cold starts and without a database that is short."""
    function = Function("F", duration, math.inf, reserved, {}, cold_start=0)
    burst = Application((entry,), {"F": function}, {}, unreserved=10_000, idle=math.inf, refused=0)
    return simulate(burst, model=Model.EVENTS, seed=seed)


def erlang_c(servers: int, load: float) -> float:
    """Give the part that has to wait."""
    refused = erlang_b(servers, load)
    return refused / (1 - load / servers * (1 - refused))


def crommelin(servers: int, load: float) -> float:
    """Give the mean wait for durations that are all the same, as a part of one."""
    wait = 0.0
    for number in range(1, 100):
        mean = number * load
        terms = [
            math.exp(each * math.log(mean) - mean - math.lgamma(each + 1)) for each in range(servers * number, 1_000)
        ]
        wait += sum(terms) - servers / load * sum(terms[1:])
    return wait


def waiting(servers: int, load: float, duration: Duration) -> Queue:
    """Let 60,000 messages come at random, one of which a poller takes at a time."""
    rate = load / duration.mean
    return queue(poisson(rate, 60_000 / rate), batch_size=1, maximum_concurrency=servers, receives=None)


def load_of(history: History) -> float:
    """Give the load that was drawn, by what was at work: chance made it a little more or less than was asked for."""
    return history.functions["F"].concurrency.mean


@pytest.mark.parametrize(("servers", "load"), [(2, 1.0), (5, 3.0)])
def test_mmc(servers: int, load: float) -> None:
    """Mean wait and queue of M/M/c, by Erlang's C."""
    duration = Exponential(0.1)
    history = run(waiting(servers, load, duration), duration)
    came, drawn = history.entries["Q"], load_of(history)
    assert drawn == pytest.approx(load, rel=0.02)
    expected = erlang_c(servers, drawn) / (servers - drawn) * duration.mean
    assert came.waited / came.done.total == pytest.approx(expected, rel=0.02)


def test_mdc() -> None:
    """Mean wait of M/D/c, by Crommelin's formula."""
    duration = Duration(0.1)
    history = run(waiting(4, 2.8, duration), duration)
    came, expected = history.entries["Q"], crommelin(4, load_of(history)) * duration.mean
    assert came.waited / came.done.total == pytest.approx(expected, rel=0.02)


def test_mg1() -> None:
    """Mean wait of M/G/1, by Pollaczek and Khinchine."""
    duration = Duration(0.1, 0.5)
    history = run(waiting(1, 0.5, duration), duration, seed=2)
    came, load = history.entries["Q"], load_of(history)
    expected = load * (1 + duration.variation**2) / 2 / (1 - load) * duration.mean
    assert came.waited / came.done.total == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("duration", [Duration(0.1), Duration(0.1, 1.5), Exponential(0.1)], ids=["D", "G", "M"])
def test_mgcc(duration: Duration) -> None:
    """The part that M/G/c/c refuses is Erlang's B, whatever the durations."""
    history = run(direct(poisson(180, 400)), duration, reserved=20)
    came = history.entries["D"]
    load = came.arrivals.total / 400 * duration.mean
    assert came.throttled.total / came.arrivals.total == pytest.approx(erlang_b(20, load), rel=0.02)
    assert history.functions["F"].concurrency.mean == pytest.approx(load * (1 - erlang_b(20, load)), rel=0.02)


def test_little() -> None:
    """What waits, on average, is the rate of arrivals times the mean wait: exactly, as it is counted twice."""
    arrivals = queue(poisson(40, 500), batch_size=3, maximum_concurrency=9, receives=None)
    history = run(arrivals, Duration(0.2, 0.5))
    came = history.entries["Q"]
    assert came.done.total == came.arrivals.total
    assert came.waited > 0
    assert came.depth.area == pytest.approx(came.waited, rel=1e-6)
