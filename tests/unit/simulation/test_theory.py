"""The exact model beside formulas that are proven: Erlang, Pollaczek and Khinchine, Crommelin, Little."""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from random import Random

import pytest

from cdk_breakwater.limits.erlang import erlang_b
from cdk_breakwater.simulation.application import Application, Failover, Function, Server
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.entries import Direct, Queue, Stream
from cdk_breakwater.simulation.history import History
from cdk_breakwater.simulation.invocation import Outcome
from cdk_breakwater.simulation.load import constant, poisson, spike
from cdk_breakwater.simulation.run import Model, simulate
from cdk_breakwater.simulation.stream_mapping import StreamMapping, read

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


def test_a_proxys_pool_makes_clients_wait_as_long_as_kiefer_and_wolfowitz_say() -> None:
    """Each of the arrivals that were drawn gets the connection that is free first."""
    pool, seconds, load = 10, 0.2, poisson(45, 200)
    function = Function("F", Duration(seconds), math.inf, None, {"Proxy": 1}, cold_start=0)
    proxy = Server("Proxy", pool, pool, borrow_timeout=math.inf)
    entry = Direct("D", "F", load, waits=True)
    burst = Application((entry,), {"F": function}, {"Proxy": proxy}, 10_000, idle=math.inf, refused=0)
    history = simulate(burst, model=Model.EVENTS, seed=4)
    free, waited = [0.0] * pool, 0.0
    for now in load.times(Random(4)):  # noqa: S311 -- the arrivals of the same seed
        first = heapq.heappop(free)
        waited += max(0.0, first - now)
        heapq.heappush(free, max(first, now) + seconds)
    assert waited > 100
    assert history.servers["Proxy"].waited == pytest.approx(waited)
    assert history.servers["Proxy"].connections.peak == pool
    assert history.servers["Proxy"].refused.total == 0


def test_who_waits_for_longer_than_the_borrow_timeout_fails() -> None:
    function = Function("F", Duration(1), 20, None, {"Proxy": 1}, cold_start=0)
    proxy = Server("Proxy", 10, 10, borrow_timeout=2.5)
    entry = Direct("D", "F", spike(100), waits=True)
    burst = Application((entry,), {"F": function}, {"Proxy": proxy}, 1_000, idle=600, refused=0)
    history = simulate(burst)
    # 10 each at 0, 1 and 2 s; the 70 others give up at 2.5 s
    assert (history.model, history.entries["D"].done.total, history.entries["D"].failed.total) == ("events", 30, 70)
    assert history.servers["Proxy"].refused.total == 70
    assert history.servers["Proxy"].waiting.peak == 90
    assert history.drained == pytest.approx(3)
    # A function that ends sooner times out while it waits.
    shorter = Application((entry,), {"F": replace(function, timeout=1.5)}, {"Proxy": proxy}, 1_000, 600, 0)
    history = simulate(shorter)
    assert (history.entries["D"].done.total, history.functions["F"].timeouts.total) == (10, 90)
    assert history.servers["Proxy"].refused.total == 0


def test_clients_of_a_proxy_wait_through_a_failover() -> None:
    function = Function("F", Duration(0.1), 20, None, {"Proxy": 1}, cold_start=0)
    proxy = Server("Proxy", 10, 10, borrow_timeout=30)
    entry = Direct("D", "F", constant(20, 10), waits=True)
    burst = Application(
        (entry,), {"F": function}, {"Proxy": proxy}, 1_000, idle=600, refused=0, failover=Failover(4, 3)
    )
    history = simulate(burst)
    assert history.entries["D"].failed.total <= 2  # those at work when it began
    assert history.servers["Proxy"].waiting.peak == pytest.approx(60, abs=2)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_a_stream_is_read_by_as_many_lanes_as_it_has(model: Model) -> None:
    lanes, batch, seconds = 4, 25, 0.02
    function = Function("F", Duration(seconds), 30, None, {}, cold_start=0)
    entry = Stream.of("S", "F", spike(2_000), batch_size=batch, shards=lanes, most_attempts=3)
    history = simulate(Application((entry,), {"F": function}, {}, 1_000, idle=600, refused=0), model=model)
    assert history.functions["F"].concurrency.peak == pytest.approx(lanes)
    assert history.drained == pytest.approx(2_000 * seconds / lanes, rel=0.05)
    # One shard by the model that reads it batch by batch.
    shard = read(
        StreamMapping(batch, 2, progress_restarts_retries=False),
        2_000 // lanes,
        lambda records: Outcome(seconds * len(records)),
    )
    assert history.drained == pytest.approx(shard.seconds, rel=0.05)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_records_that_a_database_refuses_are_given_up_after_their_attempts(model: Model) -> None:
    function = Function("F", Duration(0.01), 30, None, {"Db": 1}, cold_start=0)
    entry = Stream.of("S", "F", spike(100), batch_size=25, shards=2, most_attempts=3, splits=False)
    full = {"Db": Server("Db", 5, 0)}
    history = simulate(Application((entry,), {"F": function}, full, 1_000, idle=600, refused=0.1), model=model)
    assert history.entries["S"].lost.total == pytest.approx(100)
    assert history.entries["S"].failed.total == pytest.approx(300)
