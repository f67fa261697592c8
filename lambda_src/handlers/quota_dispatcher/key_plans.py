"""What a key is granted where that is less than its tiers say: its plan, which changes without a deployment.

A plan is an item of the table that the customer writes. It lowers limits and never raises them. What makes no sense in
it leaves the tier as the construct has it, so that no plan stops a quota or exceeds it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from .keys import FIRST_NUMBER, key_number
from .log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set

    from .blobs import Blobs
    from .clocks import Reading

FRESH = 10_000
"""So long (ms) a plan that was read is taken to be unchanged."""
_PREFIX = "plan/"
DEFAULT = f"{_PREFIX}default"
"""Of keys that have no plan of their own."""
LIMITS = "limits"
_READ_AT_ONCE = 90
"""Of the next ones: with one request."""

Limits = dict[str, int]
"""By `tier_name`."""


def plan_name(key: str) -> str:
    """Name the item of a key's plan: by the first 12 hexadecimal digits of its SHA-256."""
    return _name(key_number(key))


def plan_name_of_hash(digits: str) -> str:
    """Name the item of the plan of a key of which only these 12 digits are known."""
    return f"{_PREFIX}{digits}"


def tier_name(tier: Mapping[str, Any]) -> str:
    """Name a tier in a plan: by the seconds of its period, and what else tells it from others."""
    weight = f" of {tier['weight']}" if tier.get("weight") else ""
    return f"{tier['period'] / 1_000:g}{' calendar' if tier.get('zone') else ''}{weight}"


def planned(tiers: Sequence[dict[str, Any]], limits: Limits) -> list[dict[str, Any]]:
    """Return tiers with the limits of a plan, where these are lower."""
    if not limits:
        return list(tiers)
    return [tier | {"limit": min(tier["limit"], limits.get(tier_name(tier), tier["limit"]))} for tier in tiers]


def plan_item(name: str, limits: Limits) -> dict[str, Any]:
    """Return the item of a plan."""
    return {"id": {"S": name}, LIMITS: {"M": {tier: {"N": str(limit)} for tier, limit in limits.items()}}}


def read_limits(item: Mapping[str, Any], tiers: Set[str]) -> tuple[Limits, list[str]]:
    """Return the limits of these tiers that a plan's item names, and what of it makes no sense.

    What it names besides is left out, however much that is: each key remembers its limits.
    """
    given = item.get(LIMITS, {}).get("M")
    if given is None:
        return {}, [f"it has no map {LIMITS}"]
    limits, problems = Limits(), list[str]()
    for name in sorted(tiers & given.keys()):
        value = given[name]
        text = value.get("N", "")
        if text.isdecimal() and int(text) >= 1:
            limits[name] = int(text)
        else:
            problems.append(f"{LIMITS}[{name!r}] is {str(value)[:60]}, and a whole number from 1 on is needed")
    return limits, problems


class Plans:
    """Reads plans, and remembers them for a while.

    Parameters
    ----------
    blobs
        Of the table.
    now
        Reads both clocks, one of which may stand still.
    """

    def __init__(self, blobs: Blobs, now: Callable[[], Reading]) -> None:
        self._blobs = blobs
        self._now = now
        self._known: dict[str, tuple[Reading, Limits | None]] = {}
        self._said: set[str] = set()

    def limits(self, number: int, next_ones: Iterable[int], tiers: Set[str]) -> Limits:
        """Return what the plan of a key says of these tiers; read those of the next ones with it."""
        name = _name(number)
        if not (self._fresh(name) and self._fresh(DEFAULT)):
            names = [DEFAULT, name, *(_name(other) for other in islice(next_ones, _READ_AT_ONCE))]
            self._read({each for each in names if not self._fresh(each)}, tiers)
        own, common = self._known[name][1], self._known[DEFAULT][1]
        return (common or {}) if own is None else own

    def _fresh(self, name: str) -> bool:
        if name not in self._known:
            return False
        now, then = self._now(), self._known[name][0]
        return max(now.monotonic - then.monotonic, now.wall - then.wall) < FRESH

    def _read(self, names: set[str], tiers: Set[str]) -> None:
        now, items = self._now(), self._blobs.items(names)
        for name in names:
            limits, problems = read_limits(items[name], tiers) if name in items else (None, [])
            self._known[name] = (now, limits)
            for problem in problems:
                if problem not in self._said:
                    log("a part of a plan makes no sense", plan=name, reason=problem)
                    self._said.add(problem)


def _name(number: int) -> str:
    return f"{_PREFIX}{number - FIRST_NUMBER - 1:012x}"
