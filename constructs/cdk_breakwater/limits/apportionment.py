"""How connections are divided among those who hold them. Arithmetic alone: nothing here knows of AWS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Claim:
    """What one holder asks for.

    Parameters
    ----------
    weight
        Part of what the fixed claims leave, relative to the other weights. Ignored when `fixed` is given.
    fixed
        Concurrency asked for, exactly.
    minimum
        Least concurrency the holder can work with.
    connections_per_environment
        Connections that one unit of concurrency holds.
    holder
        Who asks, where the same one asks in several pools and can use no more than the smallest of what it gets.
    """

    weight: Fraction = Fraction(1)
    fixed: int | None = None
    minimum: int = 1
    connections_per_environment: int = 1
    holder: str | None = None

    @property
    def least_connections(self) -> int:
        """Connections without which the claim cannot be met."""
        return (self.minimum if self.fixed is None else self.fixed) * self.connections_per_environment


class OversubscribedError(ValueError):
    """The claims need more connections than there are."""


def apportion(connections: int, claims: Sequence[Claim]) -> list[int]:
    """Divide connections: fixed claims first, the rest by weight with the largest-remainder method.

    Parameters
    ----------
    connections
        Connections to hand out.
    claims
        Who asks; ties go to the earlier claim.

    Returns
    -------
    list of int
        The concurrency of each claim, in the order given. Their connections never exceed `connections`, and no claim
        gets less than its minimum.

    Raises
    ------
    OversubscribedError
        When fixed claims and minima need more than `connections`.
    """
    if sum(claim.least_connections for claim in claims) > connections:
        msg = f"{sum(claim.least_connections for claim in claims)} connections claimed of {connections}"
        raise OversubscribedError(msg)
    granted = [claim.minimum if claim.fixed is None else claim.fixed for claim in claims]
    open_claims = [index for index, claim in enumerate(claims) if claim.fixed is None]
    while open_claims:
        undecided = set(open_claims)
        left = connections - sum(
            granted[index] * claim.connections_per_environment
            for index, claim in enumerate(claims)
            if index not in undecided
        )
        weights = sum((claims[index].weight for index in open_claims), Fraction(0))
        quotas = {
            index: left * claims[index].weight / weights / claims[index].connections_per_environment
            for index in open_claims
        }
        above = [index for index in open_claims if quotas[index] >= claims[index].minimum]
        if len(above) == len(open_claims):
            _round(left, quotas, claims, granted)
            break
        open_claims = above  # the others keep their minimum, so the rest has less to divide
    return granted


def apportion_capped(units: int, claims: Sequence[Claim], most: Sequence[int]) -> list[int]:
    """Divide a pool among holders who can use no more than they have elsewhere.

    Parameters
    ----------
    units
        What the pool has.
    claims
        Who asks.
    most
        What each of them can use at the most. What one leaves is divided among the others.

    Raises
    ------
    OversubscribedError
        When fixed claims and minima need more than there is.
    """
    claims = list(claims)
    while True:
        granted = apportion(units, claims)
        content = [index for index, part in enumerate(granted) if claims[index].fixed is None and part >= most[index]]
        if not content:
            return granted
        for index in content:
            claims[index] = replace(claims[index], fixed=most[index])


def apportion_together(pools: Sequence[tuple[int, Sequence[Claim]]]) -> list[list[int]]:
    """Divide several pools whose claims have holders in common.

    A holder gets the same concurrency in each of its pools: the smallest. The least of all is settled first, so that
    what it leaves is divided again among those who can use it.

    Parameters
    ----------
    pools
        Connections to hand out, and who asks for them.

    Returns
    -------
    list of list of int
        For each pool what `apportion` returns.

    Raises
    ------
    OversubscribedError
        When fixed claims and minima need more than a pool has.
    """
    claims = [list(asking) for _, asking in pools]
    granted = [apportion(connections, asking) for connections, asking in pools]
    unsettled = {claim.holder for asking in claims for claim in asking if claim.holder is not None}
    while unsettled:
        smallest, holder = min(
            (part, claim.holder)
            for asking, parts in zip(claims, granted, strict=True)
            for claim, part in zip(asking, parts, strict=True)
            if claim.holder in unsettled and claim.holder is not None
        )
        unsettled.remove(holder)
        for index, (connections, _) in enumerate(pools):
            if any(claim.holder == holder for claim in claims[index]):
                claims[index] = [
                    replace(claim, fixed=smallest) if claim.holder == holder else claim for claim in claims[index]
                ]
                granted[index] = apportion(connections, claims[index])
    return granted


def _round(left: int, quotas: dict[int, Fraction], claims: Sequence[Claim], granted: list[int]) -> None:
    for index, quota in quotas.items():
        granted[index] = quota.numerator // quota.denominator
        left -= granted[index] * claims[index].connections_per_environment

    def largest_remainder_first(index: int) -> tuple[Fraction, Fraction, int]:
        return granted[index] - quotas[index], -claims[index].weight, claims[index].connections_per_environment

    for index in sorted(quotas, key=largest_remainder_first):
        if claims[index].connections_per_environment <= left:
            granted[index] += 1
            left -= claims[index].connections_per_environment
