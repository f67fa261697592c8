"""`breakwater quota STACK`, of a quota with keys: the busiest ones, and the plan of one."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError
from ..layers.packaged_sources import handler_directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

OTHERS = "*"
"""In place of a key: all keys that have no plan of their own."""
_HASH = re.compile(r"#[0-9a-f]{12}")
_SHOWN = 10
_TRIES = 5


@dataclass(frozen=True)
class KeyUsage:
    """One key of a quota.

    Attributes
    ----------
    key
        The key itself, where a message of it waits, since only messages hold it. Otherwise the first 12 hexadecimal
        digits of its SHA-256, after a ``#``.
    waiting
        Its messages that were not called, or are called again.
    tiers
        Calls (or weight) and limit by tier, as its plan has it.
    paused_seconds
        What is left of a Retry-After.
    """

    key: str
    waiting: int
    tiers: Mapping[str, tuple[int, int]]
    paused_seconds: float


def dispatcher_code() -> None:
    """Let the dispatcher's own code be imported: it reads what it has stored."""
    code = str(handler_directory("quota_dispatcher").parent)
    if code not in sys.path:
        sys.path.append(code)


def busiest_keys(settings: Any, dynamodb: Any, now: int) -> list[KeyUsage]:
    """Return the keys with the most waiting messages, and then with the most calls; none of a quota without keys.

    Parameters
    ----------
    settings
        Of the quota, as its dispatcher has them.
    dynamodb
        A client.
    now
        Unix time in milliseconds.

    Raises
    ------
    BreakwaterError
        When a dispatcher goes on writing while it is read.
    """
    dispatcher_code()
    from quota_dispatcher.blobs import Blobs
    from quota_dispatcher.clocks import Reading
    from quota_dispatcher.keyed_counter import KeyedCounter
    from quota_dispatcher.pages import Pages
    from quota_dispatcher.store import Store
    from quota_dispatcher.volumes import VolumeGoneError, Volumes

    blobs = Blobs(dynamodb, settings.table, lambda milliseconds: sleep(milliseconds / 1_000))
    for _ in range(_TRIES):
        counter = Store(dynamodb, settings.table).read().counter(settings)
        if not isinstance(counter, KeyedCounter) or not counter.quota.clock:
            return []
        counter.advance(Reading(now, 0), None)
        try:
            volumes = Volumes(blobs).read(counter.index.names())
        except VolumeGoneError:
            continue
        keys = [counter.stored(number, entry) for volume in volumes.values() for number, entry in volume.items()]
        keys.sort(key=lambda key: (-key.waiting, -key.quota.used(key.quota.windows[0]), key.line.number))
        pages = Pages(dynamodb, settings.table)
        return [_usage(key, counter.source, pages) for key in keys[:_SHOWN]]
    raise BreakwaterError(settings.name, "its dispatcher writes faster than this reads.", "Try again.")


def keys_table(keys: Sequence[KeyUsage]) -> Table:
    """Lay them out for a terminal."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("busiest keys", "waiting", "used of its limits", "paused")
    for usage in keys:
        used = ", ".join(f"{used:,} of {limit:,} in {name} s" for name, (used, limit) in usage.tiers.items())
        paused = f"{usage.paused_seconds:.0f} s" if usage.paused_seconds else "no"
        # A tenant may call itself anything, a terminal's commands included.
        name = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in usage.key)
        table.add_row(escape(name), f"{usage.waiting:,}", escape(used), paused)
    return table


def check_plan_options(stack: str, set_plan: str | None, limits: Sequence[str] | None, clear_plan: str | None) -> None:
    """Refuse what no quota can do, before AWS is asked.

    Raises
    ------
    BreakwaterError
        For options that contradict each other, an empty key, and limits that are no ``TIER=LIMIT``.
    """
    if set_plan is not None and clear_plan is not None:
        raise BreakwaterError(
            stack, "--set-plan and --clear-plan contradict each other.", "Give one of them: --set-plan replaces a plan."
        )
    if "" in (set_plan, clear_plan):
        raise BreakwaterError(stack, "the key is an empty text.", "Name one, or '*' for all that have no plan.")
    if set_plan is None and limits:
        raise BreakwaterError(
            stack, f"--limit {limits[0]!r} is of a plan, and --set-plan is not given.", "Give --set-plan KEY as well."
        )
    if set_plan is not None and not limits:
        raise BreakwaterError(
            stack, f"--set-plan {set_plan!r} is given without a limit.", "Give --limit SECONDS=LIMIT as well."
        )
    for text in limits or ():
        tier, _, number = text.rpartition("=")
        if not (tier and number.isascii() and number.isdecimal() and number.strip("0")):
            raise BreakwaterError(
                stack,
                f"--limit {text!r} is no SECONDS=LIMIT.",
                "Give the period of a tier and a whole number, 1 or more, such as 60=100.",
            )


def write_plan(settings: Any, dynamodb: Any, key: str, limits: Sequence[str] | None) -> None:
    """Write the plan of a key, or delete it.

    Parameters
    ----------
    settings
        Of the quota, as its dispatcher has them.
    dynamodb
        A client.
    key
        The key, as `busiest_keys` shows it, or `OTHERS`.
    limits
        ``TIER=LIMIT`` each, a tier being the seconds of its period. None: the plan is deleted.

    Raises
    ------
    BreakwaterError
        For a quota without keys, for a limit that makes no sense or is above the tier's own, and when there is no plan
        to delete.
    """
    dispatcher_code()
    from quota_dispatcher.key_plans import DEFAULT, plan_item, plan_name, plan_name_of_hash, tier_name

    if not settings.key:
        raise BreakwaterError(settings.name, "it has no keys, and plans are of keys.", "Name a quota with key=.")
    name = DEFAULT if key == OTHERS else plan_name_of_hash(key[1:]) if _HASH.fullmatch(key) else plan_name(key)
    if limits is None:
        deleted = dynamodb.delete_item(TableName=settings.table, Key={"id": {"S": name}}, ReturnValues="ALL_OLD")
        if not deleted.get("Attributes"):
            raise BreakwaterError(settings.name, f"{key!r} has no plan.", "Write the key as its messages have it.")
        return
    tiers = {tier_name(tier): tier["limit"] for tier in settings.key_tiers}
    plan: dict[str, int] = {}
    for text in limits:
        tier, limit = _limit(settings.name, tiers, text)
        if tier in plan:
            raise BreakwaterError(settings.name, f"--limit {text!r} is given twice.", "Give each tier one limit.")
        plan[tier] = limit
    dynamodb.put_item(TableName=settings.table, Item=plan_item(name, plan))


def _limit(quota: str, tiers: Mapping[str, int], text: str) -> tuple[str, int]:
    tier, _, number = text.rpartition("=")
    most = tiers.get(tier, 0)
    if not (number.isdecimal() and len(number) <= len(str(most)) and 1 <= int(number) <= most):
        known = " or ".join(f'"{name}=N" with N from 1 to {limit}' for name, limit in tiers.items())
        raise BreakwaterError(
            quota, f"--limit {text!r} is no limit of a key.", f"Give {known}: a plan lowers what key_tiers say."
        )
    return tier, int(number)


def _usage(key: Any, source: str, pages: Any) -> KeyUsage:
    from quota_dispatcher.key_plans import tier_name
    from quota_dispatcher.keys import FIRST_NUMBER, KeyMissingError, read_key

    number = key.line.number
    name = f"#{number - FIRST_NUMBER - 1:012x}" if number > FIRST_NUMBER else "none"
    page = pages.get((number, key.line.pages.first[0][0])) if key.line.pages else None
    if page:
        try:
            name = read_key(page.records[0], source)
        except KeyMissingError:
            name = "none"
    windows = key.quota.in_order(key.tiers)
    tiers = {
        tier_name(tier): (key.quota.used(window), window.limit) for tier, window in zip(key.tiers, windows, strict=True)
    }
    return KeyUsage(name, key.waiting, tiers, max(0, key.quota.paused_until - key.quota.clock) / 1_000)
