"""Functions with several databases get the smallest of their shares, and what they leave is divided again."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cdk_breakwater.limits.apportionment import Claim, OversubscribedError, apportion, apportion_together

Pools = list[tuple[int, list[Claim]]]
WEIGHTS = st.integers(1, 50).map(Fraction) | st.fractions(Fraction(1, 100), 100)


@st.composite
def pools(draw: st.DrawFn) -> Pools:
    """Some pools, functions that use one of them, and functions that use several."""
    count = draw(st.integers(1, 4))
    asking: list[list[Claim]] = [[] for _ in range(count)]
    for number in range(draw(st.integers(0, 12))):
        fixed = draw(st.none() | st.none() | st.integers(1, 12))
        weight, minimum = draw(WEIGHTS), draw(st.integers(1, 2))
        if fixed is not None:
            minimum = min(minimum, fixed)
        used = draw(st.sets(st.integers(0, count - 1), min_size=1))
        for pool in sorted(used):
            connections = draw(st.integers(1, 3))
            holder = f"function {number}" if len(used) > 1 else None
            asking[pool].append(Claim(weight, fixed, minimum, connections, holder))
    return [(draw(st.integers(0, 400)), claims) for claims in asking]


def satisfiable(drawn: Pools) -> bool:
    return all(sum(claim.least_connections for claim in claims) <= connections for connections, claims in drawn)


def held(claims: list[Claim], granted: list[int]) -> int:
    return sum(part * claim.connections_per_environment for claim, part in zip(claims, granted, strict=True))


def concurrency(drawn: Pools, granted: list[list[int]]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for (_, claims), parts in zip(drawn, granted, strict=True):
        for claim, part in zip(claims, parts, strict=True):
            if claim.holder is not None:
                found.setdefault(claim.holder, set()).add(part)
    return found


@given(pools())
def test_no_pool_is_exceeded_and_no_one_starves(drawn: Pools) -> None:
    if not satisfiable(drawn):
        with pytest.raises(OversubscribedError):
            apportion_together(drawn)
        return
    granted = apportion_together(drawn)
    for (connections, claims), parts in zip(drawn, granted, strict=True):
        assert held(claims, parts) <= connections
        for claim, part in zip(claims, parts, strict=True):
            assert part == claim.fixed if claim.fixed is not None else part >= claim.minimum


@given(pools())
def test_a_holder_has_one_concurrency_everywhere(drawn: Pools) -> None:
    assume(satisfiable(drawn))
    assert all(len(parts) == 1 for parts in concurrency(drawn, apportion_together(drawn)).values())


@given(pools())
def test_what_a_holder_leaves_is_divided_again(drawn: Pools) -> None:
    assume(satisfiable(drawn))
    for (connections, claims), parts in zip(drawn, apportion_together(drawn), strict=True):
        weighted = [c.connections_per_environment for c in claims if c.fixed is None and c.holder is None]
        if weighted:
            assert connections - held(claims, parts) < max(weighted)


@given(pools(), st.randoms())
def test_the_order_of_pools_changes_nothing(drawn: Pools, random: Random) -> None:
    assume(satisfiable(drawn))
    order = random.sample(range(len(drawn)), len(drawn))
    granted = apportion_together(drawn)
    assert apportion_together([drawn[index] for index in order]) == [granted[index] for index in order]


@given(st.integers(0, 400), st.lists(st.builds(Claim, weight=WEIGHTS, minimum=st.integers(1, 3)), max_size=10))
def test_without_holders_it_is_apportion(connections: int, claims: list[Claim]) -> None:
    assume(sum(claim.least_connections for claim in claims) <= connections)
    assert apportion_together([(connections, claims)]) == [apportion(connections, claims)]


@pytest.mark.parametrize(
    ("drawn", "granted"),
    [
        # Both has 5 of one and 2 of the other: 2 in each, and the first pool's other function has the 3 that are left.
        ([(10, [Claim(holder="both"), Claim()]), (4, [Claim(holder="both"), Claim()])], [[2, 8], [2, 2]]),
        # A chain: the second pool gets back what its first holder cannot use, for the second holder.
        (
            [
                (3, [Claim(holder="a")]),
                (20, [Claim(holder="a"), Claim(holder="b")]),
                (15, [Claim(holder="b")]),
            ],
            [[3], [3, 15], [15]],
        ),
        ([(9, [Claim(holder="a", fixed=4)]), (30, [Claim(holder="a", fixed=4), Claim()])], [[4], [4, 26]]),
        (
            [(9, [Claim(holder="a", connections_per_environment=3)]), (30, [Claim(holder="a"), Claim()])],
            [[3], [3, 27]],
        ),
        ([(7, []), (0, [])], [[], []]),
    ],
)
def test_examples(drawn: Pools, granted: list[list[int]]) -> None:
    assert apportion_together(drawn) == granted
