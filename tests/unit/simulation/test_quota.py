"""Quotas of third parties: no window of a tier is exceeded, and what waits does so for no longer than it must."""

from __future__ import annotations

import pytest
from benchmarks.quota.strategies import Breakwater
from benchmarks.quota.world import Scenario, World

from cdk_breakwater.simulation.history import History
from cdk_breakwater.simulation.load import Load, constant, spike
from cdk_breakwater.simulation.quota import Quota, Tier
from cdk_breakwater.simulation.run import Model, simulate
from cdk_breakwater.simulation.verdict import bindings

from .bursts import PER_SECOND, PER_TEN_SECONDS, application, quota

BOTH = pytest.mark.parametrize("model", [Model.EVENTS, Model.BINNED])
TIERS = {
    "one": (PER_SECOND,),
    "two": (PER_SECOND, PER_TEN_SECONDS),
    "more than 64": (Tier("400 per 20 s", 400, 20), Tier("70 per 2 s", 70, 2)),
    "arrivals": (Tier("20 per 1 s", 20, 1, arrival=0.1), PER_TEN_SECONDS),
    "by the calendar": (Tier("500 per 30 s", 500, 30, is_calendar=True), PER_SECOND),
}


def run(burst: Quota, model: Model, *, seconds: float = 0.2) -> History:
    return simulate(application(burst, seconds=seconds, cold_start=0, usable=1_000), model=model)


def most_calls(history: History, window: float) -> float:
    """Count the calls in the fullest window of so many seconds, of those that begin with a step."""
    values, steps = history.entries["C"].called.values, int(window / history.step + 1e-6)
    now = most = sum(values[:steps])
    for number in range(steps, len(values)):
        now += values[number] - values[number - steps]
        most = max(most, now)
    return most


def ledger(messages: int, tiers: list[tuple[int, float]], parallelism: int, seconds: float) -> float:
    """Say when the last of some calls ends that all wait since the start: each place is taken again a period later."""
    starts: list[float] = []
    for number in range(messages):
        start = starts[-1] if starts else 0.0
        for limit, period in (*tiers, (parallelism, 0.0)):
            if number >= limit:
                start = max(start, starts[number - limit] + seconds + period)
        starts.append(start)
    return starts[-1] + seconds


@BOTH
@pytest.mark.parametrize("load", [spike(1_500), constant(60, 30)])
@pytest.mark.parametrize("name", TIERS)
def test_no_window_holds_more_calls_than_its_tier_grants(name: str, load: Load, model: Model) -> None:
    history = run(quota(load, *TIERS[name], parallelism=60), model)
    assert history.entries["C"].done.total == pytest.approx(load.total, abs=0.6)
    assert history.entries["C"].limited.total == 0
    for tier in TIERS[name]:
        if tier.is_calendar:
            values, steps = history.entries["C"].called.values, round(tier.period / history.step)
            periods = [sum(values[start : start + steps]) for start in range(0, len(values), steps)]
            assert max(periods) <= tier.limit + 1
        else:
            assert most_calls(history, tier.period - history.step) <= tier.limit + 0.01
        assert history.entries["C"].tiers[tier.name].used.peak <= tier.limit + 1e-6


@BOTH
@pytest.mark.parametrize(
    ("tiers", "parallelism", "seconds"),
    [([(20, 1)], 30, 0.2), ([(20, 1), (150, 10)], 30, 0.2), ([(10, 1)], 100, 3), ([(50, 5), (60, 7)], 8, 0.5)],
)
def test_all_of_it_takes_as_long_as_an_exact_ledger_says(
    tiers: list[tuple[int, float]], parallelism: int, seconds: float, model: Model
) -> None:
    named = [Tier(f"{limit} per {period} s", limit, period) for limit, period in tiers]
    history = run(quota(spike(900), *named, parallelism=parallelism), model, seconds=seconds)
    assert history.drained == pytest.approx(ledger(900, tiers, parallelism, seconds), rel=0.01)


def test_it_takes_as_long_as_with_the_code_that_is_deployed() -> None:
    """With the dispatcher's own counter, on the simulated clock of benchmarks/quota."""
    scenario = Scenario("", 900, ((20, 1_000), (150, 10_000)))
    deployed = World(scenario, Breakwater(scenario.tiers)).run()
    history = run(quota(spike(900), PER_SECOND, PER_TEN_SECONDS), Model.EVENTS, seconds=0.09)
    assert history.drained == pytest.approx(deployed.last / 1000, rel=0.05)
    assert (deployed.refused, history.entries["C"].limited.total) == (0, 0)


@BOTH
def test_a_call_holds_its_place_until_a_period_after_its_end(model: Model) -> None:
    """So of 10 a second, calls of 3 s use a quarter; where arrivals are counted, five sixths (docs/quota.md)."""
    for arrival, least, most in ((None, 0.2, 0.28), (0.2, 0.7, 0.85)):
        tier = Tier("10 per 1 s", 10, 1, arrival=arrival)
        history = run(quota(spike(600), tier, parallelism=100), model, seconds=3)
        assert least <= 600 / 10 / (history.drained or 0) <= most


@BOTH
def test_the_tier_that_binds_first_is_named_first(model: Model) -> None:
    burst = application(quota(spike(500), PER_TEN_SECONDS, PER_SECOND), usable=100)
    first, then = bindings(burst, simulate(burst, model=model))
    assert (first.limit, then.limit) == ("20 per 1 s", "150 per 10 s")
    assert first.at < 0.1
    assert then.at == pytest.approx(8.6, rel=0.1)
    assert "messages wait" in first.effect
    slow = application(quota(spike(50), PER_SECOND, parallelism=2), seconds=2, usable=100)
    assert [each.limit for each in bindings(slow, simulate(slow, model=model))] == ["parallelism 2"]


@BOTH
def test_who_waits_for_no_quota_hears_429(model: Model) -> None:
    burst = application(quota(spike(1_000), PER_SECOND, PER_TEN_SECONDS, is_kept=False), usable=5_000, unreserved=5_000)
    history = simulate(burst, model=model)
    came = history.entries["C"]
    assert came.limited.total > 1_000
    assert came.lost.total > 500
    assert came.done.total + came.lost.total == pytest.approx(1_000, abs=0.6)
    assert most_calls(history, 1) > 500
    assert any("with a 429" in each.effect for each in bindings(burst, history))
