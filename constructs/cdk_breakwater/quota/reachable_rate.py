"""What rate a quota reaches, and a word about each that can't be reached."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from aws_cdk import Annotations

from ..limits.dispatcher_rate import CALLS_PER_CORE, CORE_MIB, most_calls_per_second
from .call_length import AROUND_THE_CALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .invocation import QuotaThrottledInvocation
    from .tier import QuotaTier

_SMALL_MIB, _MEDIUM_MIB = 256, 512
_HANDS_OF_THE_SMALL = 32
"""With so many, messages of 1 MiB needn't wait for memory; with more, they may (`freight.py`)."""
_SHORT_CALL = 0.1
"""Seconds: the length of a call where nothing else is known."""
_BETWEEN = 0.03
"""Seconds from the end of a call until its place among the calls at once is filled again, at least: the way back, a
write and the way there (in the simulated account, `tests/simulation`)."""
_CLEARLY = 0.9


def dispatcher_memory(per_second: float, hands: float, *, has_keys: bool) -> int:
    """Return the memory (MiB) with which a dispatcher makes so many calls a second, and so many at once.

    Where it is not known how many a second, they are given as 0.
    """
    is_small = per_second > 0 and hands <= _HANDS_OF_THE_SMALL and not has_keys
    for memory in (_SMALL_MIB, _MEDIUM_MIB) if is_small else (_MEDIUM_MIB,):
        if per_second <= 0.8 * most_calls_per_second(memory):
            return memory
    return CORE_MIB


def calls_per_second(tiers: Sequence[QuotaTier]) -> float:
    """Return the calls a second that the tiers grant, as far as it is known: what a message weighs is not."""
    return min((tier.per_second for tier in tiers if not tier.weight), default=0)


def annotate_rate(
    quota: QuotaThrottledInvocation, parallelism: int, hands: int, environments: int | None, longest_call: int
) -> None:
    """Say which rates can't be reached, and why.

    Parameters
    ----------
    quota
        Which.
    parallelism, hands
        What it was given, and the calls in flight that its counters have of it.
    environments
        Those that are reserved for the function, if any are.
    longest_call
        Milliseconds from a slot until its call has ended for certain.
    """
    remarks = Annotations.of(quota)
    timeout = (longest_call - AROUND_THE_CALL) / 1000
    at_once = min(hands, environments or hands)
    _annotate_short_calls(quota, at_once)
    if quota.counters > 1:
        remarks.add_info_v2(
            "cdk-breakwater:quota-counters",
            f"{quota.counters} counters divide the limits among them, each with a dispatcher of its own: so many "
            "environments of the account's concurrency beside those of the calls. A quota that has been used keeps "
            "the number with which it began.",
        )
    if hands < parallelism:
        remarks.add_info_v2(
            "cdk-breakwater:quota-parallelism",
            f"Of parallelism={parallelism} {hands} are used: a dispatcher makes {hands // quota.counters} calls at "
            "once, and limits and reserved environments are divided among several in parts of ten or more only.",
        )
    durations = sorted({min(duration, timeout) for duration in (_SHORT_CALL, 1, timeout)})
    _annotate_use(quota, quota.tiers, at_once, durations)
    _annotate_use(quota, quota.key_tiers, ceil(at_once / 2), durations)
    for tier in quota.tiers:
        seconds = tier.period.to_seconds(integral=False)
        if tier.start == "calendar" and seconds < 2 * (longest_call / 1000 + 2):
            remarks.add_warning_v2(
                f"cdk-breakwater:quota-calendar-{seconds:g}",
                f"{tier} by the calendar: a call may fall into each period within {longest_call / 1000 + 2:g} s of its "
                "start, and holds a place in all of them until its end is known. Use a rolling tier for so short a "
                "period, or a shorter timeout of the function.",
            )
    for number, tier in enumerate((*quota.tiers, *quota.key_tiers)):
        if tier.arrives_within and tier.arrives_within.to_seconds(integral=False) > timeout:
            remarks.add_warning_v2(
                f"cdk-breakwater:quota-arrival-{number}",
                f"{tier} has arrives_within={tier.arrives_within.to_human_string()}, and {quota.function.node.path} a "
                f"timeout of {timeout:g} s: its calls end before that, and free their places then. If the dispatcher "
                "dies, they hold them for so long. Say how soon the provider has the request, or leave out counted "
                "and arrives_within.",
            )


def _annotate_short_calls(quota: QuotaThrottledInvocation, at_once: int) -> None:
    """Warn where the dispatchers, or so many calls at once, make clearly less than is granted even of short calls."""
    granted = calls_per_second(quota.tiers)
    by_calls = at_once / (_SHORT_CALL + _BETWEEN)
    by_dispatchers = CALLS_PER_CORE * quota.counters
    least = min(by_calls, by_dispatchers)
    if least >= _CLEARLY * granted:
        return
    made_by = "one dispatcher makes" if quota.counters == 1 else f"{quota.counters} dispatchers make"
    advice = f"Use {ceil(granted / least):,} quotas with a part of the limit each, or more, and send to them in turn."
    if by_calls < by_dispatchers:
        wanted = ceil(granted * (_SHORT_CALL + _BETWEEN))
        advice = f"They take parallelism={wanted}, and so many environments of {quota.function.node.path}."
    Annotations.of(quota).add_warning_v2(
        "cdk-breakwater:quota-rate",
        f"{round(granted, 2):,.16g} calls a second are granted and about {least:,.0f} can be made: {made_by} "
        f"{by_dispatchers:,} at most, and with {at_once:,} at once and calls of {_SHORT_CALL:g} s {by_calls:,.0f}. "
        f"{advice}",
    )


def _annotate_use(
    quota: QuotaThrottledInvocation, tiers: Sequence[QuotaTier], at_once: int, durations: Sequence[float]
) -> None:
    """Say how much of the tightest tier of calls, and of each tier of weights, is used with calls of some durations.

    Parameters
    ----------
    quota, tiers
        Which, and its tiers or those of each key.
    at_once
        Calls in flight.
    durations
        Seconds.
    """
    id, whose, hands = ("use-key", "each key's ", "half of ") if tiers is quota.key_tiers else ("use", "", "")
    calls = [tier for tier in tiers if not tier.weight]
    tightest = min(calls, key=lambda tier: tier.per_second, default=None)
    for number, tier in enumerate(tiers):
        if tier is not tightest and not tier.weight:
            continue
        parts: list[float] = []
        reasons: dict[str, None] = {}
        for duration in durations:
            # How many calls a weight stands for is not known.
            by_calls = 1.0 if tier.weight else at_once / (duration + _BETWEEN) / tier.per_second
            rivals = [tier] if tier.weight else calls
            by_tier, holder = min(
                ((rival.per_second / tier.per_second * rival.used(duration), rival) for rival in rivals),
                key=lambda pair: pair[0],
            )
            parts.append(min(by_tier, by_calls))
            if by_tier < min(_CLEARLY, by_calls):
                reasons[f"in {holder} {holder.why_held}"] = None
            elif by_calls < _CLEARLY:
                there = "is 1 call" if at_once == 1 else f"are {at_once:,} calls"
                reasons[f"there {there} at once ({hands}parallelism)"] = None
        if reasons:
            Annotations.of(quota).add_info_v2(
                f"cdk-breakwater:quota-{id}-{number}",
                f"Of {whose}{tier} at most {_each(durations, parts)} is used: {', and '.join(reasons)}.",
            )


def _each(durations: Sequence[float], parts: Sequence[float]) -> str:
    said = [f"{min(1, part):.0%}" if part >= 0.01 else "less than 1%" for part in parts]
    *first, last = (f"{part} with calls of {duration:g} s" for duration, part in zip(durations, said, strict=True))
    return f"{', '.join(first)} and {last}" if first else last
