"""Shares never exceed the budget, never starve, and do not depend on the order of creation beyond ties."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cdk_breakwater.limits.apportionment import Claim, OversubscribedError, apportion

CLAIMS = st.builds(
    Claim,
    weight=st.integers(1, 50).map(Fraction) | st.fractions(Fraction(1, 100), 100),
    fixed=st.none() | st.integers(1, 40),
    minimum=st.integers(1, 4),
    connections_per_environment=st.integers(1, 3),
)


def held(claims: list[Claim], granted: list[int]) -> int:
    return sum(part * claim.connections_per_environment for claim, part in zip(claims, granted, strict=True))


@given(st.integers(0, 2000), st.lists(CLAIMS, max_size=30))
def test_never_exceeds_and_never_starves(connections: int, claims: list[Claim]) -> None:
    least = sum(claim.least_connections for claim in claims)
    if least > connections:
        with pytest.raises(OversubscribedError, match=f"{least} connections claimed of {connections}"):
            apportion(connections, claims)
        return
    granted = apportion(connections, claims)
    assert held(claims, granted) <= connections
    for claim, part in zip(claims, granted, strict=True):
        assert part == claim.fixed if claim.fixed is not None else part >= claim.minimum


@given(st.integers(1, 2000), st.lists(CLAIMS, min_size=1, max_size=30))
def test_leaves_no_connection_that_a_weighted_share_could_hold(connections: int, claims: list[Claim]) -> None:
    assume(sum(claim.least_connections for claim in claims) <= connections)
    weighted = [claim.connections_per_environment for claim in claims if claim.fixed is None]
    assume(weighted)
    # Each rounding leaves less than one environment; with one connection per environment, nothing at all.
    left = connections - held(claims, apportion(connections, claims))
    assert left < max(weighted)


@given(st.integers(1, 2000), st.lists(CLAIMS, min_size=1, max_size=12), st.randoms())
def test_order_of_creation_decides_among_equals_only(connections: int, claims: list[Claim], random: Random) -> None:
    assume(sum(claim.least_connections for claim in claims) <= connections)
    shuffled = random.sample(claims, len(claims))
    assert parts(claims, apportion(connections, claims)) == parts(shuffled, apportion(connections, shuffled))


def parts(claims: list[Claim], granted: list[int]) -> Counter[tuple[Fraction, int, int | None, int]]:
    return Counter(
        (claim.weight, claim.connections_per_environment, claim.fixed, part)
        for claim, part in zip(claims, granted, strict=True)
    )


@pytest.mark.parametrize(
    ("connections", "claims", "granted"),
    [
        (52, [Claim(), Claim(weight=Fraction(2)), Claim(fixed=5)], [16, 31, 5]),
        (10, [Claim(), Claim(), Claim()], [4, 3, 3]),
        (10, [Claim(weight=Fraction(1, 100)), Claim(weight=Fraction(100))], [1, 9]),
        (12, [Claim(minimum=2, weight=Fraction(1, 100)), Claim()], [2, 10]),
        (10, [Claim(connections_per_environment=2), Claim()], [2, 6]),
        (5, [Claim(fixed=5)], [5]),
        (5, [], []),
    ],
)
def test_examples(connections: int, claims: list[Claim], granted: list[int]) -> None:
    assert apportion(connections, claims) == granted
