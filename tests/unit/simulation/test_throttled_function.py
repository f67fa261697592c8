"""What is derived for an API, before a function with a ceiling: one in a hundred at most finds no room behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from cdk_breakwater.limits.loss import erlang_b, regular_loss, safe_load
from cdk_breakwater.simulation.throttled_function import Admission, admit
from cdk_breakwater.throttled_api.function_load import Derived

REQUESTS = 15_000


def poisson(rate: float, chance: Random) -> Iterator[float]:
    now = 0.0
    for _ in range(REQUESTS):
        now += chance.expovariate(rate)
        yield now


def durations(kind: str, chance: Random) -> Callable[[], float]:
    return (lambda: 1.0) if kind == "fixed" else (lambda: chance.expovariate(1))


def run(concurrency: int, rate: float, burst: int, asked: float, kind: str) -> Admission:
    """Ask for `asked` times the rate, at random; each takes a second on average."""
    chance = Random(1)  # noqa: S311 -- arrivals and durations
    return admit(
        poisson(asked * rate, chance),
        rate_limit=rate,
        burst_limit=burst,
        concurrency=concurrency,
        seconds=durations(kind, chance),
    )


@pytest.mark.parametrize("kind", ["fixed", "exponential"])
@pytest.mark.parametrize("asked", [0.7, 0.9, 1, 1.3, 3, 10])
@pytest.mark.parametrize("concurrency", [1, 2, 4, 5, 8, 20, 56, 200])
def test_one_in_a_hundred_at_most_finds_no_room(concurrency: int, asked: float, kind: str) -> None:
    limits = Derived.of(concurrency, late=False)
    result = run(concurrency, limits.load, limits.burst, asked, kind)
    assert result.refused_part <= 0.01
    if kind == "fixed":
        assert result.refused == 0


@pytest.mark.parametrize("at_once", [4, 111, 1_000])
@pytest.mark.parametrize("concurrency", [4, 56])
def test_a_burst_onto_an_idle_api_finds_room(concurrency: int, at_once: int) -> None:
    """All within the first 0.2 s, of 0.2 s each: 111 were let in where 56 may run, and 55 got a 500."""
    limits = Derived.of(concurrency, late=False)
    arrivals = [0.2 * number / at_once for number in range(at_once)]
    result = admit(
        arrivals,
        rate_limit=limits.load / 0.2,
        burst_limit=limits.burst,
        concurrency=concurrency,
        seconds=lambda: 0.2,
    )
    assert (result.refused, result.most_at_once <= concurrency) == (0, True)
    late = Derived.of(concurrency, late=True)
    before = admit(
        arrivals, rate_limit=late.load / 0.2, burst_limit=late.burst, concurrency=concurrency, seconds=lambda: 0.2
    )
    assert (
        before.refused
        == {(4, 4): 0, (4, 111): 3, (4, 1_000): 3, (56, 4): 0, (56, 111): 55, (56, 1_000): 55}[concurrency, at_once]
    )


@pytest.mark.parametrize(("concurrency", "part"), [(4, 0.21), (20, 0.10), (56, 0.046), (200, 0.009)])
def test_the_model_shows_what_the_shares_own_rate_lost(concurrency: int, part: float) -> None:
    """At 90 % of concurrency / duration, at random: Erlang's B."""
    result = run(concurrency, float(concurrency), concurrency, 0.9, "fixed")
    assert result.refused_part == pytest.approx(erlang_b(concurrency, 0.9 * concurrency), rel=0.35)
    assert result.refused_part >= 0.7 * part


@pytest.mark.parametrize("concurrency", [1, 4, 20, 200])
def test_palms_formula_is_that_of_the_model(concurrency: int) -> None:
    load = 0.9 * concurrency
    chance = Random(2)  # noqa: S311 -- durations
    result = admit(
        (number / load for number in range(60_000)),
        rate_limit=load,
        burst_limit=1,
        concurrency=concurrency,
        seconds=lambda: chance.expovariate(1),
    )
    assert result.refused_part == pytest.approx(regular_loss(concurrency, load), rel=0.1, abs=0.001)


@pytest.mark.parametrize("concurrency", [1, 2, 3, 10, 100, 1_000, 10_000])
def test_the_safe_load_leaves_room(concurrency: int) -> None:
    load = safe_load(concurrency)
    assert 0 < load < concurrency
    assert regular_loss(concurrency, load) <= 0.005
    assert regular_loss(concurrency, min(concurrency, load * 1.05)) > 0.005 or load > 0.97 * concurrency
