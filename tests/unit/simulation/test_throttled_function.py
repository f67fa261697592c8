"""What is derived for an API, before a function with a ceiling: one in a hundred at most finds no room behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice
from operator import itemgetter
from random import Random

import aws_cdk as cdk
import pytest

from cdk_breakwater.limits.erlang import erlang_b, regular_loss, safe_load
from cdk_breakwater.simulation.throttled_function import Admission, Route, admit
from cdk_breakwater.throttled_api.function_load import Derived, FunctionLoad
from cdk_breakwater.throttled_api.throttle import Throttle

REQUESTS = 15_000


def poisson(route: Route, asked: float, chance: Random) -> Iterator[tuple[float, Route]]:
    """Ask for `asked` times the rate, at random."""
    now = 0.0
    while True:
        now += chance.expovariate(asked * route.rate_limit)
        yield now, route


def durations(kind: str, chance: Random, seconds: float = 1) -> Callable[[], float]:
    return (lambda: seconds) if kind == "fixed" else (lambda: chance.expovariate(1 / seconds))


def run(concurrency: int, rate: float, burst: int, asked: float, kind: str) -> Admission:
    """Ask for `asked` times the rate, at random; each takes a second on average."""
    chance = Random(1)  # noqa: S311 -- arrivals and durations
    route = Route(rate, burst, durations(kind, chance))
    return admit(islice(poisson(route, asked, chance), REQUESTS), concurrency=concurrency)


def at_random(routes: list[Route], asked: float, chance: Random) -> Iterator[tuple[float, Route]]:
    """Ask of each `asked` times its rate."""
    streams = [poisson(route, asked, chance) for route in routes]
    return islice(merge(*streams, key=itemgetter(0)), REQUESTS)


def all_at_once(routes: list[Route], seconds: float) -> Iterator[tuple[float, Route]]:
    """Ask of each as much as may be, from an idle API on."""
    return ((seconds * number / REQUESTS, route) for number in range(REQUESTS) for route in routes)


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
    route = Route(limits.load / 0.2, limits.burst, lambda: 0.2)
    result = admit(((now, route) for now in arrivals), concurrency=concurrency)
    assert (result.refused, result.most_at_once <= concurrency) == (0, True)
    late = Derived.of(concurrency, late=True)
    route = Route(late.load / 0.2, late.burst, lambda: 0.2)
    before = admit(((now, route) for now in arrivals), concurrency=concurrency)
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
    route = Route(load, 1, durations("exponential", chance))
    result = admit(((number / load, route) for number in range(60_000)), concurrency=concurrency)
    assert result.refused_part == pytest.approx(regular_loss(concurrency, load), rel=0.1, abs=0.001)


@pytest.mark.parametrize("concurrency", [1, 2, 3, 10, 100, 1_000, 10_000])
def test_the_safe_load_leaves_room(concurrency: int) -> None:
    load = safe_load(concurrency)
    assert 0 < load < concurrency
    assert regular_loss(concurrency, load) <= 0.005
    assert regular_loss(concurrency, min(concurrency, load * 1.05)) > 0.005 or load > 0.97 * concurrency


class Granted:
    """A function's concurrency."""

    mappings = 0

    def __init__(self, function: cdk.Stack, granted: int) -> None:
        self.function = function
        self._granted = granted

    def resolve(self) -> int:
        return self._granted


Given = tuple[float, float, int | None]


@pytest.mark.parametrize(
    ("granted", "given", "derived", "beyond"),
    [
        (60, [(20, 0.2, 10)], [0.2], 0.01),  # the table of docs/throttled_api.md, where 7 of 67 were refused
        (16, [(5, 2, None)], [0.2], 0.015),
        (20, [(10, 1, None)], [1], 0.01),
        (20, [(15, 1, None)], [1], 0.03),  # given rates take what they take
        (4, [], [1, 1, 1, 1], 0.01),
        (56, [(30, 1, None), (10, 0.5, None)], [1, 0.1], 0.01),
        (1_000, [(400, 1, None), (100, 1, 50)], [1, 29], 0.01),
    ],
)
def test_routes_beside_each_other_find_room(
    granted: int, given: list[Given], derived: list[float], beyond: float
) -> None:
    stack = cdk.Stack()
    load = FunctionLoad(Granted(stack, granted))
    throttles = [
        (
            load.add_given(stack, "given", Throttle.given(stack, "given", rate, burst), seconds, burst_limit=burst),
            seconds,
        )
        for rate, seconds, burst in given
    ] + [(load.add_derived(stack, "derived", None, seconds), seconds) for seconds in derived]
    limits = [
        (stack.resolve(throttle.rate_limit), stack.resolve(throttle.burst_limit), seconds)
        for throttle, seconds in throttles
    ]
    chance = Random(1)  # noqa: S311 -- arrivals and durations

    def routes(kind: str) -> list[Route]:
        return [Route(rate, burst, durations(kind, chance, seconds)) for rate, burst, seconds in limits]

    longest = max(seconds for *_, seconds in limits)
    assert admit(all_at_once(routes("fixed"), longest), concurrency=granted).refused == 0
    for asked in (0.9, 1.3, 10):
        assert admit(at_random(routes("fixed"), asked, chance), concurrency=granted).refused == 0
        assert admit(at_random(routes("exponential"), asked, chance), concurrency=granted).refused_part <= beyond
