"""The two models of a burst say the same, within 5 %, and what they say follows from the limits."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from cdk_breakwater.simulation.application import Application, Failover, Function, Server
from cdk_breakwater.simulation.duration import Duration
from cdk_breakwater.simulation.entries import Api, Bucket, Direct, Pollers
from cdk_breakwater.simulation.history import History
from cdk_breakwater.simulation.load import constant, poisson, ramp, recorded, spike
from cdk_breakwater.simulation.quota import Tier
from cdk_breakwater.simulation.run import Model, simulate

from .bursts import BUCKET, PER_SECOND, PER_TEN_SECONDS, api, application, direct, fifo, queue, quota, stream

BURSTS: dict[str, Callable[[], Application]] = {
    "a queue with its share": lambda: application(queue(spike(5_000)), reserved=12),
    "one message at a time": lambda: application(queue(spike(5_000), batch_size=1), reserved=12),
    "a ramp into a queue": lambda: application(queue(ramp(0, 200, 60)), reserved=12),
    "a queue without limits on a small database": lambda: application(
        queue(spike(5_000), maximum_concurrency=None, visibility=20, receives=3)
    ),
    "a mapping without a maximum before a reservation": lambda: application(
        queue(spike(20_000), maximum_concurrency=None, visibility=30), reserved=12
    ),
    "an API whose rate is too much for a share": lambda: application(api(constant(200, 60)), reserved=12),
    "an API within its rate": lambda: application(api(constant(40, 60)), reserved=20, usable=20),
    "a thousand at once without a limit": lambda: application(direct(spike(1_000))),
    "a thousand events for a share": lambda: application(direct(spike(1_000), waits=False), reserved=12),
    "events for a database that is full": lambda: application(direct(spike(100), waits=False)),
    "durations that vary": lambda: application(queue(spike(5_000)), reserved=12, variation=1.0),
    "at random": lambda: application(direct(poisson(450, 60)), reserved=100, usable=100),
    "a failover": lambda: application(
        queue(constant(40, 60), batch_size=1, visibility=30), reserved=12, failover=Failover(20, 10)
    ),
    "a deployment with room for both": lambda: application(
        queue(constant(40, 60), batch_size=1), reserved=12, usable=30, deploy_at=30
    ),
    "a timeout shorter than a batch": lambda: application(
        queue(spike(1_000), visibility=30, receives=3), reserved=12, seconds=2, timeout=15
    ),
    "at random into a queue": lambda: application(queue(poisson(50, 60), batch_size=1), reserved=12),
    "events that throttle each other": lambda: application(
        direct(ramp(0, 400, 20), waits=False), reserved=40, usable=40
    ),
    "messages that fail each time": lambda: application(
        queue(spike(1_000), failing=0.04, visibility=20, receives=3), reserved=12
    ),
    "messages that fail and take their batch with them": lambda: application(
        queue(spike(1_000), failing=0.01, visibility=20, receives=3, reports=False), reserved=12
    ),
    "pollers that do not grow": lambda: application(
        queue(spike(5_000), maximum_concurrency=None, pollers=Pollers(math.inf, 0, 5)), reserved=12
    ),
    "a stream": lambda: application(stream(constant(100, 20), shards=2, factor=1)),
    "a stream whose keys fall unevenly on its lanes": lambda: application(stream(constant(100, 20), 50)),
    "a stream with records that fail each time": lambda: application(
        stream(constant(80, 10), shards=1, factor=1, failing=0.037)
    ),
    "a stream whose function reports nothing": lambda: application(
        stream(constant(80, 10), shards=1, factor=1, failing=0.037, reports=False)
    ),
    "fewer message groups than pollers": lambda: application(fifo(spike(600), 5), reserved=12),
    "messages that fail and hold up their group": lambda: application(
        fifo(spike(2_000), 400, failing=0.01, visibility=2), reserved=12
    ),
    "messages that fail and take what is behind them along": lambda: application(
        fifo(spike(2_000), 100, batch_size=5, failing=0.01, visibility=5), reserved=12
    ),
    "a quota": lambda: application(quota(spike(2_000), PER_SECOND, PER_TEN_SECONDS), usable=50),
    "a quota by the calendar": lambda: application(
        quota(constant(8, 150), Tier("400 per 1 min by the calendar", 400, 60, is_calendar=True), parallelism=60),
        usable=80,
    ),
    "a quota that counts what messages weigh": lambda: application(
        quota(spike(1_000), Tier("10^5 tokens per 1 min", 1e5, 60, is_weighed=True), parallelism=100, weight=400),
        seconds=1,
        usable=120,
    ),
    "a quota that counts arrivals": lambda: application(
        quota(spike(600), Tier("10 per 1 s", 10, 1, arrival=0.2), parallelism=50), seconds=3, usable=50
    ),
    "a quota with messages that fail each time": lambda: application(
        quota(spike(1_000), PER_SECOND, PER_TEN_SECONDS, failing=0.05), usable=50
    ),
    "a quota before few environments": lambda: application(
        quota(spike(1_000), PER_SECOND, PER_TEN_SECONDS), seconds=0.5, reserved=4
    ),
    "two days of a quota": lambda: application(
        quota(spike(3_500), Tier("10 per 1 s", 10, 1), Tier("1,500 per 1 d", 1_500, 86_400)), usable=50
    ),
    "nobody waits for the quota": lambda: application(
        quota(spike(2_000), PER_SECOND, PER_TEN_SECONDS, is_kept=False), usable=5_000, unreserved=5_000
    ),
    "what was recorded": lambda: application(queue(recorded([(0, 300), (30, 3_000), (60, 0)])), reserved=12),
}
# A count below this part of all requests is no more than chance, or the order of what comes at one instant.
_CHANCE = 0.02


def figures(history: History) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, entry in history.entries.items():
        for what in ("done", "limited", "throttled", "failed", "lost"):
            found[f"{name} {what}"] = getattr(entry, what).total
        found[f"{name} depth"] = entry.depth.peak
    for name, function in history.functions.items():
        found[f"{name} concurrency"] = function.concurrency.peak
    for name, server in history.servers.items():
        found[f"{name} connections"] = server.connections.peak
        found[f"{name} refused"] = server.refused.total
        found[f"{name} unavailable"] = server.unavailable.total
    return found


@pytest.mark.parametrize("name", BURSTS)
def test_the_models_agree(name: str) -> None:
    burst = BURSTS[name]()
    exact, binned = (simulate(burst, model=model, seed=3) for model in (Model.EVENTS, Model.BINNED))
    assert (exact.model, binned.model) == ("events", "binned")
    for what, value in figures(exact).items():
        atol = 2 if "con" in what else burst.total * _CHANCE
        assert figures(binned)[what] == pytest.approx(value, rel=0.05, abs=atol), what
    assert exact.drained is not None
    if "events" not in name:  # the last one of a thousand waits as long as chance has it
        assert binned.drained == pytest.approx(exact.drained, rel=0.05, abs=2 * binned.step)
    for history in (exact, binned):
        nothing_is_made_or_mislaid(burst, history)


def nothing_is_made_or_mislaid(burst: Application, history: History) -> None:
    """Each request that came is done, turned away, lost or failed for good; and no limit is exceeded."""
    for entry in burst.entries:
        came = history.entries[entry.name]
        ended = came.done.total + came.lost.total + history.left
        ended += came.limited.total if isinstance(entry, Api) else 0
        if isinstance(entry, Api) or (isinstance(entry, Direct) and entry.waits):
            ended += came.throttled.total + came.failed.total
        assert ended == pytest.approx(came.arrivals.total, abs=0.6), history.model
    function, server = burst.functions["F"], burst.servers["Db"]
    most = burst.unreserved if function.reserved is None else function.reserved
    assert history.functions["F"].concurrency.peak <= most + 1e-6
    assert history.servers["Db"].connections.peak <= server.usable + 1e-6


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_a_queue_drains_as_fast_as_its_share_works(model: Model) -> None:
    history = simulate(application(queue(spike(6_000)), reserved=12), model=model)
    assert history.drained == pytest.approx(1 + 6_000 * 0.2 / 12, rel=0.02)
    assert history.servers["Db"].connections.peak == pytest.approx(12)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_a_bucket_lets_in_its_burst_and_its_rate(model: Model) -> None:
    history = simulate(application(api(constant(200, 60)), reserved=500, usable=500), model=model).entries["A"]
    assert history.limited.total == pytest.approx(200 * 60 - (100 + 50 * 60), abs=2)
    assert history.limited.first == pytest.approx(100 / 150, abs=0.1)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_pollers_come_up_slowly(model: Model) -> None:
    """Five batches at first, and five more a second."""
    burst = application(queue(spike(50_000), maximum_concurrency=None), seconds=1, usable=2_000)
    history = simulate(burst, model=model)
    at_ten_seconds = history.functions["F"].concurrency.at(10)
    assert at_ten_seconds == pytest.approx(5 + 10 * 5, abs=6)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_new_environments_are_made_at_a_rate(model: Model) -> None:
    """1,000 at once, and 100 more a second."""
    burst = application(direct(constant(2_000, 5)), seconds=60, timeout=900, unreserved=10_000, usable=10_000)
    history = simulate(burst, model=model)
    assert history.functions["F"].concurrency.peak == pytest.approx(1_000 + 5 * 100, rel=0.02)
    assert history.functions["F"].slowed.total == pytest.approx(10_000 - 1_500, rel=0.02)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_old_code_and_new_hold_connections_together(model: Model) -> None:
    history = simulate(BURSTS["a deployment with room for both"](), model=model)
    before, after = (history.servers["Db"].connections.at(at) for at in (29, 59))
    assert after == pytest.approx(2 * before, abs=4.1)
    assert history.servers["Db"].refused.total == 0


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_frozen_environments_keep_newcomers_out(model: Model) -> None:
    """The first function's environments rest, and hold all that the second one would need."""
    functions = {name: Function(name, Duration(0.2), 20, 10, {"Db": 1}) for name in ("first", "second")}
    entries = (
        Direct("one", "first", spike(10), waits=True),
        Direct("two", "second", spike(10, at=30), waits=True),
        Direct("later", "second", spike(10, at=700), waits=True),
    )
    burst = Application(entries, functions, {"Db": Server("Db", 15, 12)}, 900, idle=600, refused=0.1)
    history = simulate(burst, model=model)
    assert history.entries["two"].failed.total == pytest.approx(8)
    assert history.entries["later"].failed.total == pytest.approx(0)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_what_comes_at_random_beside_what_does_not(model: Model) -> None:
    """Parts of requests were refused where whole ones were counted."""
    entries = Api("A", "F", poisson(5, 30), (BUCKET,)), Direct("D", "F", ramp(0, 40, 20), waits=True)
    history = simulate(application(*entries, usable=500), model=model)
    assert history.entries["D"].done.total == pytest.approx(400, abs=0.6)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_apis_share_the_bucket_of_the_account(model: Model) -> None:
    account = Bucket("account", 100, 50)
    entries = tuple(Api(name, "F", constant(200, 10), (Bucket(name, 500, 500), account)) for name in ("one", "two"))
    history = simulate(application(*entries, usable=500), model=model)
    let_in = sum(4_000 / 2 - each.limited.total for each in history.entries.values())
    assert let_in == pytest.approx(50 + 100 * 10, rel=0.02)


def test_a_million_requests_a_second_for_an_hour() -> None:
    """The work does not grow with the load, and what is kept does not either."""
    entries = (
        queue(constant(1e6, 3_600)),
        api(constant(1e6, 3_600), Bucket("stage", 200, 100), Bucket("account", 10_000, 5_000)),
    )
    history = simulate(application(*entries, reserved=12), patience=60)
    assert history.model == "binned"
    kept = sum(len(each.depth.values) for each in history.entries.values())
    assert kept <= 2 * 22_000
    assert history.entries["A"].arrivals.total == pytest.approx(3.6e9)
    assert history.left == pytest.approx(3.6e9, rel=0.001)
    assert history.drained is None


def test_times_at_which_nothing_happens_cost_nothing() -> None:
    """Seconds were counted one by one until a spike in thirty years."""
    failover = Failover(1e9, 5)
    burst = application(queue(spike(100)), api(spike(10, at=5e8)), reserved=12, failover=failover, deploy_at=7e8)
    history = simulate(burst, model=Model.EVENTS)
    assert history.entries["Q"].done.total == pytest.approx(100)
    assert history.entries["A"].done.total == pytest.approx(10)
    assert history.drained == pytest.approx(5e8, rel=0.01)


def test_environments_end_in_time_where_nothing_else_happens() -> None:
    history = simulate(application(direct(spike(10)), direct(spike(1, at=5_000)), usable=20), model=Model.EVENTS)
    held = history.servers["Db"].connections
    assert [held.at(at) for at in (590, 610, 5_100)] == [10, 0, 1]


@pytest.mark.parametrize(
    ("changes", "model"),
    [({}, "binned"), ({"timeout": 4}, "events"), ({"usable": 7}, "events"), ({"usable": 7, "reserved": 7}, "binned")],
)
def test_a_stream_whose_invocations_end_unfinished_is_followed(
    changes: dict[str, int], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps its batches were not halved, and all of a burst was given up that is done one by one."""
    monkeypatch.setattr("cdk_breakwater.simulation.run._MOST_EVENTS", 100)
    history = simulate(application(stream(spike(400)), **changes))
    assert history.model == model
    if "timeout" in changes:
        assert history.entries["S"].lost.total == 0
        assert history.functions["F"].timeouts.total > 0


def test_messages_that_wait_for_the_next_poller_have_waited() -> None:
    """Their age was looked at only once they had been received."""
    history = simulate(application(queue(spike(10), maximum_concurrency=None)), model=Model.EVENTS)
    assert history.entries["Q"].age.peak == pytest.approx(1)


def test_what_goes_on_for_long_is_computed_in_longer_steps() -> None:
    """An hour of steps of a millisecond would take minutes."""
    burst = application(queue(spike(1e6), batch_size=1, maximum_concurrency=2), seconds=0.001)
    long = application(direct(constant(1, 300)), seconds=0.01, usable=100)
    assert simulate(long, model=Model.BINNED).step > 0.001
    assert simulate(burst).drained == pytest.approx(500, rel=0.05)


@pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
def test_what_comes_now_and_then_is_done_with_the_last_of_it(model: Model) -> None:
    """Of which less than half a request is open at any time."""
    history = simulate(application(queue(constant(1, 60), batch_size=1), seconds=0.05), model=model)
    assert history.drained == pytest.approx(60, abs=1)


def test_nothing_asked_is_nothing_done() -> None:
    for model in (Model.EVENTS, Model.BINNED):
        history = simulate(application(queue(recorded([]))), model=model)
        assert (history.drained, history.functions["F"].concurrency.peak) == (0, 0)


def test_the_same_seed_gives_the_same() -> None:
    burst = application(direct(poisson(100, 30)), reserved=20, variation=1)
    for model in (Model.EVENTS, Model.BINNED):
        one, other = (figures(simulate(burst, model=model, seed=7)) for _ in range(2))
        assert one == other
        assert one != figures(simulate(burst, model=model, seed=8))
    assert math.isfinite(sum(one.values()))
