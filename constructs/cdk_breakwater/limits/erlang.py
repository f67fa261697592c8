"""How many requests per second may be let in before a ceiling, so that next to none of them finds it reached.

Little's law tells the average that is at work at once, and half of the time it is more. A ceiling that refuses what
finds no room is a loss system: Erlang's B for requests that come at random (Erlang, 1917), and Palm's formula for a
stream that a token bucket has made regular (Palm, "Intensitätsschwankungen im Fernsprechverkehr", 1943; Takács,
"Introduction to the Theory of Queues", 1962). Erlang's B holds for any distribution of durations; Palm's for
exponential ones, which vary more than most work does.
"""

from __future__ import annotations

import math
from functools import lru_cache

# Requests of the bucket's burst come at random beside the regular ones. With half of a percent for the latter, one in a
# hundred is refused at most in all, by simulation of both (`cdk_breakwater.simulation.throttled_function`).
_TARGET = 0.005
_STEPS = 50


def erlang_b(servers: int, load: float) -> float:
    """Return the part that is refused of requests that come at random.

    Parameters
    ----------
    servers
        How many may be at work at once.
    load
        Requests per second times the seconds that each takes.
    """
    refused = 1.0
    for number in range(1, servers + 1):
        refused = load * refused / (number + load * refused)
    return refused


def regular_loss(servers: int, load: float) -> float:
    """Return the part that is refused of requests that come in equal distances, with exponential durations."""
    total = term = 1.0
    for number in range(1, servers + 1):
        term *= (servers - number + 1) / number * math.expm1(number / load)
        total += term
        if total > 1 / _TARGET**2:
            break
    return 1 / total


@lru_cache
def safe_load(servers: int) -> float:
    """Return the greatest load at which next to nothing is refused: requests per second times seconds.

    Parameters
    ----------
    servers
        How many may be at work at once, 1 or more.
    """
    low, high = 0.01, float(servers)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if regular_loss(servers, middle) > _TARGET else (middle, high)
    return low
