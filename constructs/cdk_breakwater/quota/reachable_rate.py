"""What rate a quota reaches, and a word about each that can't be reached."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from aws_cdk import Annotations

from ..limits.dispatcher_rate import CALLS_PER_CORE, CORE_MIB, most_calls_per_second

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


def annotate_rate(quota: QuotaThrottledInvocation, parallelism: int, longest_call: int) -> None:
    """Say which rates can't be reached, and why."""
    tiers = quota.tiers
    granted = calls_per_second(tiers)
    remarks = Annotations.of(quota)
    at_once = parallelism / (_SHORT_CALL + _BETWEEN)
    by_dispatchers = CALLS_PER_CORE * quota.counters
    if granted and (least := min(at_once, by_dispatchers)) < _CLEARLY * granted:
        made_by = "one dispatcher makes" if quota.counters == 1 else f"{quota.counters} dispatchers make"
        advice = f"Use {ceil(granted / least)} quotas with a part of the limit each, or more, and send to them in turn."
        if at_once < by_dispatchers:
            wanted = ceil(granted * (_SHORT_CALL + _BETWEEN))
            advice = f"They take parallelism={wanted}, and so many environments of {quota.function.node.path}."
        remarks.add_warning_v2(
            "cdk-breakwater:quota-rate",
            f"{granted:g} calls a second are granted and about {least:.0f} can be made: {made_by} "
            f"{by_dispatchers} at most, and with {parallelism} at once and calls of {_SHORT_CALL:g} s {at_once:.0f}. "
            f"{advice}",
        )
    if quota.counters > 1:
        remarks.add_info_v2(
            "cdk-breakwater:quota-counters",
            f"{quota.counters} counters divide the limits among them, each with a dispatcher of its own: so many "
            "environments of the account's concurrency beside those of the calls. A quota that has been used keeps "
            "the number with which it began.",
        )
    longest = parallelism / granted - _BETWEEN if granted else longest_call
    if 0 < longest < longest_call / 1000:
        remarks.add_info_v2(
            "cdk-breakwater:quota-parallelism",
            f"{parallelism} calls at once: {granted:g} a second are reached while they take less than {longest:g} s.",
        )
    for tier in tiers:
        seconds = tier.period.to_seconds(integral=False)
        if tier.start == "rolling":
            used = seconds / (seconds + tier.held_seconds(_SHORT_CALL))
            if used < _CLEARLY + 0.05 and (tier.weight or tier.per_second <= granted):
                remarks.add_info_v2(
                    f"cdk-breakwater:quota-use-{seconds:g}",
                    f"Of {tier} at most {used:.0%} is used with calls of {_SHORT_CALL:g} s, and "
                    f"{seconds / (seconds + tier.held_seconds(1)):.0%} with calls of 1 s: nobody but the provider "
                    "knows when within a call it counts, so a call holds its place until a period after its end, with "
                    "counted='arrival' after it has arrived.",
                )
        elif seconds < 2 * (longest_call / 1000 + 2):
            remarks.add_warning_v2(
                f"cdk-breakwater:quota-calendar-{seconds:g}",
                f"{tier} by the calendar: a call may fall into each period within {longest_call / 1000 + 2:g} s of its "
                "start, and holds a place in all of them until its end is known. Use a rolling tier for so short a "
                "period, or a shorter timeout of the function.",
            )
