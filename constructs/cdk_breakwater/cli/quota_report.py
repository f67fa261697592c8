"""`breakwater quota STACK`: how far the quotas of a deployed stack are used, and what waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

_SETTINGS = "BREAKWATER_QUOTA"
_DISPATCHER = "quota_dispatcher.dispatcher.handler"


@dataclass(frozen=True)
class TierUsage:
    """Calls of one tier against its limit."""

    name: str
    limit: int
    used: int
    period_seconds: float


@dataclass(frozen=True)
class QuotaUsage:
    """One quota of a stack.

    Attributes
    ----------
    waiting, failed
        Messages in the backlog (those in flight included), and in the dead-letter queue.
    paused_seconds
        What is left of a Retry-After.
    """

    name: str
    tiers: tuple[TierUsage, ...]
    waiting: int
    failed: int
    paused_seconds: float

    @property
    def seconds_to_drain(self) -> float:
        """Seconds until the backlog is empty at the rate of the tightest tier, if nothing is added."""
        return self.waiting / min(tier.limit / tier.period_seconds for tier in self.tiers) + self.paused_seconds


def quota_usage(stack: str, client: Callable[[str], Any], now: float | None = None) -> list[QuotaUsage]:
    """Look at all quotas of a stack.

    Parameters
    ----------
    stack
        The name of a deployed stack.
    client
        Makes a client of a service by name, e.g. `boto3.client`.
    now
        Unix time in seconds. Default: the clock's.

    Raises
    ------
    BreakwaterError
        When the stack has no quota.
    """
    functions = client("lambda")
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    names = [
        resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    ]
    found = [functions.get_function_configuration(FunctionName=name) for name in names]
    settings = [
        json.loads(function["Environment"]["Variables"][_SETTINGS])
        for function in found
        if function.get("Handler") == _DISPATCHER
    ]
    if not settings:
        raise BreakwaterError(stack, "the stack has no QuotaThrottledInvocation.", "Name the stack that contains one.")
    return [_usage(setting, client, int(1000 * (time() if now is None else now))) for setting in settings]


def quota_table(usages: list[QuotaUsage]) -> Table:
    """Lay it out for a terminal."""
    from rich.table import Table

    table = Table("quota", "tier", "used", "limit", "waiting", "time until drained", "failed", "paused")
    for usage in usages:
        for number, tier in enumerate(usage.tiers):
            rest = ("", "", "", "")
            if number == 0:
                drained, paused = _duration(usage.seconds_to_drain), _duration(usage.paused_seconds)
                rest = (f"{usage.waiting:,}", drained, f"{usage.failed:,}", paused if usage.paused_seconds else "no")
            table.add_row("" if number else usage.name, tier.name, f"{tier.used:,}", f"{tier.limit:,}", *rest)
    return table


def _usage(setting: dict[str, Any], client: Callable[[str], Any], now: int) -> QuotaUsage:
    key = {"id": {"S": "quota"}}
    item = client("dynamodb").get_item(TableName=setting["table"], Key=key, ConsistentRead=True).get("Item")
    state = json.loads(item["state"]["S"]) if item else None
    queues = client("sqs")
    return QuotaUsage(
        setting["name"],
        tuple(_tier(tier, state, now) for tier in setting["tiers"]),
        sum(_messages(queues, lane) for lane in setting["lanes"]),
        _messages(queues, setting["dead_letters"]),
        max(0, state["paused_until"] - _clock(state, now)) / 1000 if state else 0,
    )


def _tier(tier: dict[str, Any], state: dict[str, Any] | None, now: int) -> TierUsage:
    limit, period = tier["limit"], tier["period"]
    name = f"{limit:,} in {_duration(period / 1000)}"
    if "zone_name" in tier:
        name += f", {tier['zone_name']}"
    return TierUsage(name, limit, _used(tier, state, now) if state else 0, period / 1000)


def _used(tier: dict[str, Any], state: dict[str, Any], now: int) -> int:
    """Count as the dispatcher's `Quota` does, from the state as it writes it."""
    clock = _clock(state, now)
    grants = [(until, calls, held) for _, until, calls, held in state["grants"].values()]
    if "zone_name" not in tier:
        grain, *flat = state["rolling"].get(f"rolling:{tier['period']}", [1])
        mark, used = 0, 0
        for distance, calls in zip(flat[::2], flat[1::2], strict=True):
            mark += distance
            used += calls if mark * grain + tier["period"] + 1 > clock else 0
        return used + sum(calls for until, calls, _ in grants if until + tier["period"] + 1 > clock)
    key = f"calendar:{tier['period']}:{tier['zone_name']}"
    if key not in state["calendar"]:
        return 0
    position = list(state["calendar"]).index(key)
    charged = dict(map(tuple, state["calendar"][key]))
    for _, _, held in grants:
        for period, calls in held[position]:
            charged[period] = charged.get(period, 0) + calls
    # A calendar month is stored as 30 days, and a day with daylight saving time may have 25 hours: the newest period
    # that has begun counts unless it must be over.
    begun = [start for start in charged if start <= now < start + tier["period"] * 32 // 30]
    return charged[max(begun)] if begun else 0


def _clock(state: dict[str, Any], now: int) -> int:
    return state["clock"] + max(0, now - state["wall"])


def _messages(client: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
