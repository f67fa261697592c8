"""`breakwater quota STACK`: how far the quotas of a deployed stack are used, and what waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BreakwaterError
from .quota_keys import KeyUsage, busiest_keys, dispatcher_code, write_plan
from .stack_resources import stack_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from quota_dispatcher.settings import Settings
    from rich.table import Table

_SETTINGS = "BREAKWATER_QUOTA"
_DISPATCHER = "quota_dispatcher.dispatcher.handler"


@dataclass(frozen=True)
class TierUsage:
    """Calls of one tier, or their weight, against its limit."""

    name: str
    limit: int
    used: int
    period_seconds: float
    weight: str = ""


@dataclass(frozen=True)
class QuotaUsage:
    """One quota of a stack.

    Attributes
    ----------
    waiting, failed
        Messages on the shelf and in the queues before it (those in flight included), and in the dead-letter queue.
    paused_seconds
        What is left of a Retry-After.
    keys
        The busiest ones.
    counters
        Among how many the limits are divided.
    """

    name: str
    tiers: tuple[TierUsage, ...]
    waiting: int
    failed: int
    paused_seconds: float
    keys: tuple[KeyUsage, ...] = ()
    counters: int = 1

    @property
    def seconds_to_drain(self) -> float | None:
        """Seconds until the backlog is empty at the rate of the tightest tier, if nothing is added.

        None where all tiers count weights: what waits was not weighed.
        """
        rate = min((tier.limit / tier.period_seconds for tier in self.tiers if not tier.weight), default=None)
        return None if rate is None else self.waiting / rate + self.paused_seconds


def quota_usage(
    stack: str, client: Callable[[str], Any], now: float | None = None, *, quota: str | None = None
) -> list[QuotaUsage]:
    """Look at the quotas of a stack.

    Parameters
    ----------
    stack
        The name of a deployed stack.
    client
        Makes a client of a service by name, e.g. `boto3.client`.
    now
        Unix time in seconds. Default: the clock's.
    quota
        The path of the construct, or its end. Default: all.

    Raises
    ------
    BreakwaterError
        When the stack has no quota, or none of that name.
    """
    every = _settings(stack, client)
    settings = [setting for setting in every if _is_named(setting["name"], quota)]
    if not settings:
        names = ", ".join(setting["name"] for setting in every)
        raise BreakwaterError(stack, f"it has no quota {quota!r}.", f"Name one with --quota: {names}.")
    return [_usage(stack, setting, client, int(1000 * (time() if now is None else now))) for setting in settings]


def change_plan(
    stack: str, client: Callable[[str], Any], key: str, limits: Sequence[str] | None, quota: str | None = None
) -> str:
    """Write or delete the plan of a key; return the name of its quota.

    Parameters
    ----------
    stack, client
        As for `quota_usage`.
    key, limits
        As for `write_plan`.
    quota
        The path of the construct, or its end. Default: the stack has one quota with keys.

    Raises
    ------
    BreakwaterError
        For a stack without such a quota, or with several, and for limits that make no sense.
    """
    dispatcher_code()
    from quota_dispatcher.settings import Settings

    keyed = [Settings(**setting) for setting in _settings(stack, client) if setting.get("key")]
    found = [each for each in keyed if _is_named(each.name, quota)]
    if len(found) != 1:
        names = ", ".join(each.name for each in keyed) or "none"
        raise BreakwaterError(stack, f"it has {len(found)} such quotas with keys.", f"Name one with --quota: {names}.")
    write_plan(found[0], client("dynamodb"), key, limits)
    return found[0].name


def _is_named(name: str, quota: str | None) -> bool:
    return quota is None or f"/{name}".endswith(f"/{quota}")


def _settings(stack: str, client: Callable[[str], Any]) -> list[dict[str, Any]]:
    functions = client("lambda")
    names = [
        resource["PhysicalResourceId"]
        for resource in stack_resources(client("cloudformation"), stack)
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
    return settings


def quota_table(usages: list[QuotaUsage]) -> Table:
    """Lay it out for a terminal."""
    from rich.table import Table

    table = Table("quota", "tier", "used", "limit", "waiting", "time until drained", "failed", "paused")
    for usage in usages:
        for number, tier in enumerate(usage.tiers):
            rest = ("", "", "", "")
            if number == 0:
                left, paused = usage.seconds_to_drain, _duration(usage.paused_seconds)
                drained = "unknown" if left is None else _duration(left)
                rest = (f"{usage.waiting:,}", drained, f"{usage.failed:,}", paused if usage.paused_seconds else "no")
            name = usage.name if usage.counters == 1 else f"{usage.name}, {usage.counters} counters"
            table.add_row("" if number else name, tier.name, f"{tier.used:,}", f"{tier.limit:,}", *rest)
    return table


def _usage(stack: str, setting: dict[str, Any], client: Callable[[str], Any], now: int) -> QuotaUsage:
    dispatcher_code()
    from quota_dispatcher.settings import Settings
    from quota_dispatcher.store import Store

    settings = Settings(**setting)
    dynamodb, queues = client("dynamodb"), client("sqs")
    counters = Store(dynamodb, settings.table).read().counters
    try:
        divided = [settings.divided(counters, number) for number in range(counters)]
    except ValueError as error:
        raise BreakwaterError(stack, str(error), "Until then, it calls nothing.") from error
    each = [_counter_usage(one, dynamodb, now) for one in divided]
    return QuotaUsage(
        settings.name,
        tuple(_tier(tier, sum(used)) for tier, *used in zip(settings.tiers, *(one.used for one in each), strict=True)),
        sum(one.waiting for one in each) + sum(_messages(queues, _url(queues, arn)) for arn in settings.lanes),
        _messages(queues, settings.dead_letters),
        max(one.paused_seconds for one in each),
        tuple(busiest_keys(settings, dynamodb, now)),
        counters,
    )


class _CounterUsage(NamedTuple):
    used: list[int]
    waiting: int
    paused_seconds: float


def _counter_usage(settings: Settings, dynamodb: Any, now: int) -> _CounterUsage:
    from quota_dispatcher.clocks import Reading
    from quota_dispatcher.metrics import waiting
    from quota_dispatcher.store import Store

    item = Store(dynamodb, settings.table, settings.number).read()
    counter = item.counter(settings)
    counter.adopt(settings.tiers)
    quota = counter.quota
    if item.token:
        counter.advance(Reading(now, 0), None)
    used = [quota.used(window) if item.token else 0 for window in quota.in_order(settings.tiers)]
    return _CounterUsage(used, waiting(item, counter), max(0, quota.paused_until - quota.clock) / 1000)


def _tier(tier: dict[str, Any], used: int) -> TierUsage:
    limit, period = tier["limit"], tier["period"]
    weight = tier.get("weight", "")
    name = f"{limit:,}" + (f" of {weight}" if weight else "") + f" in {_duration(period / 1000)}"
    if "zone_name" in tier:
        name += f", {tier['zone_name']}"
    return TierUsage(name, limit, used, period / 1000, weight)


def _url(client: Any, arn: str) -> str:
    return client.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]


def _messages(client: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
