"""The quotas of third parties that templates set, read out of what their dispatchers are told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..checks.answers import ABSENT, Absent, Block, Items, Unknown, known_text
from ..checks.event_source import function_of, sources_of
from ..checks.resource import as_number
from ..limits.dispatcher_rate import most_calls_per_second
from ..simulation.load import Load
from ..simulation.quota import Quota, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..checks.answers import Answer
    from ..checks.resource import Resource
    from .simulated_limits import Limits

_SETTINGS = ("Environment", "Variables", "BREAKWATER_QUOTA")
_HANDLERS = "quota_dispatcher."
_DISPATCHER = "quota_dispatcher.dispatcher.handler"
_INTAKE = "quota_dispatcher.intake.handler"
_ACQUIRE = re.compile(r"BREAKWATER_(\w+_)?ACQUIRE")
_LATE_MILLISECONDS = 2_000
"""Part of `arrival`: between a slot and its call, given back when that has begun (LATE in the dispatcher's code)."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_SMALLEST_MIB = 128
_LONGEST_MILLISECONDS = 366 * 86_400_000
"""Beyond a year nothing is simulated."""


def belongs_to_quota(function: Resource) -> bool:
    """Tell whether a function is a quota's own: its intake, its dispatcher, or what gives out its slots."""
    return known_text(function.get("Handler")).startswith(_HANDLERS)


def add_quotas(functions: Iterable[Resource], found: Limits) -> set[str]:
    """Add each quota as an entry; give the names of the functions that they call."""
    functions = list(functions)
    intakes = {
        known_text(each.get(*_SETTINGS)): each for each in functions if known_text(each.get("Handler")) == _INTAKE
    }
    called = set()
    for dispatcher in functions:
        if known_text(dispatcher.get("Handler")) != _DISPATCHER:
            continue
        intake = intakes.get(known_text(dispatcher.get(*_SETTINGS)))
        quota = _quota(dispatcher, intake, found)
        if quota is None:
            found.note(f"{found.name_of(dispatcher)}: what its quota grants is known at deployment only; not simulated")
            continue
        called.add(quota.function)
        found.entries.append(quota)
    for function in functions:
        if any(_ACQUIRE.fullmatch(name) for name in _variables(function)):
            found.note(f"{found.name_of(function)}: the slots that it takes itself are not counted in a quota")
    return called


def _quota(dispatcher: Resource, intake: Resource | None, found: Limits) -> Quota | None:
    function = function_of(dispatcher.target(*_SETTINGS, "function", of="AWS::Lambda::Function"))
    items = dispatcher.items(*_SETTINGS, "tiers")
    numbers = [dispatcher.limit(*_SETTINGS, name) for name in ("parallelism", "longest_call", "max_attempts")]
    known = [number for number in numbers if not isinstance(number, Absent | Unknown)]
    if function is None or found.name_of(function) not in found.functions:
        return None
    if not isinstance(items, Items) or len(known) < 3:
        return None
    tiers = [_tier(item) for item in items]
    granted = tuple(tier for tier in tiers if tier is not None)
    if not granted or len(granted) < len(tiers):
        return None
    name = known_text(dispatcher.get(*_SETTINGS, "name")) or found.name_of(dispatcher)
    if dispatcher.get(*_SETTINGS, "key") is not ABSENT:
        found.note(f"{name}: keys are not told apart; what each of them has for itself is not simulated")
    if dispatcher.get(*_SETTINGS, "ordered") is True:
        found.note(f"{name}: in order, taken for a queue with a message group for each message")
    if any(tier.is_weighed for tier in granted):
        found.note(f"{name}: what a message weighs is not in the templates; taken for 1, or for what --weight says")
    window, batch = _filing(intake)
    parallelism, longest, attempts = known
    memory = dispatcher.number("MemorySize", default=_SMALLEST_MIB)
    counters = as_number(dispatcher.get(*_SETTINGS, "counters"), 1)
    return Quota(
        name,
        found.name_of(function),
        Load(()),
        granted,
        max(1, int(parallelism)),
        (1 if isinstance(counters, Unknown) else counters)
        * most_calls_per_second(_SMALLEST_MIB if isinstance(memory, Unknown) else max(_SMALLEST_MIB, memory)),
        longest / 1000,
        max(1, int(attempts)),
        window,
        batch,
    )


def _tier(item: Answer) -> Tier | None:
    if not isinstance(item, Block):
        return None
    limit, period = (as_number(item.get(name), 0) for name in ("limit", "period"))
    if (
        isinstance(limit, Unknown)
        or isinstance(period, Unknown)
        or limit < 1
        or not 0 < period <= _LONGEST_MILLISECONDS
    ):
        return None
    seconds = float(period) / 1000
    arrival = as_number(item.get("arrival"), -1)
    weight, is_calendar = known_text(item.get("weight")), item.get("zone") is not ABSENT
    name = f"{limit:,.0f}{f' of {weight}' if weight else ''} per {_period(seconds)}"
    return Tier(
        f"{name} by the calendar" if is_calendar else name,
        float(limit),
        seconds,
        None if isinstance(arrival, Unknown) or arrival < 0 else max(0.0, arrival - _LATE_MILLISECONDS) / 1000,
        is_calendar,
        bool(weight),
    )


def _filing(intake: Resource | None) -> tuple[float, int]:
    """Give how long messages are gathered before they are filed, and how many at the most."""
    for source in sources_of(intake) if intake is not None else ():
        window = source.mapping.number("MaximumBatchingWindowInSeconds", default=0)
        batch = source.mapping.number("BatchSize", default=1)
        if not isinstance(window, Unknown) and not isinstance(batch, Unknown):
            return float(window), max(1, int(batch))
    return 0.0, 1


def _variables(function: Resource) -> list[str]:
    variables = function.block("Environment", "Variables")
    return list(map(str, variables.names())) if isinstance(variables, Block) else []


def _period(seconds: float) -> str:
    for size, unit in _UNITS:
        if not seconds % size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
