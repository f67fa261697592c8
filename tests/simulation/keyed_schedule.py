"""One schedule of a quota with keys: each with its tiers, all below the shared ones; some keys give trouble."""

from __future__ import annotations

import contextlib
import io
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from handlers.quota_dispatcher import page_line
from handlers.quota_dispatcher.key_plans import tier_name
from handlers.quota_dispatcher.keys import MESSAGE_GROUP
from tests.simulation.provider import Limit
from tests.simulation.schedule import (
    MIDNIGHT,
    QUIET,
    SETTLED,
    Result,
    drawn_faults,
    possible_calls,
    without_collector,
)
from tests.simulation.world import LONGEST_CALL, World

SHARED: tuple[tuple[Limit, ...], ...] = (
    (Limit(20, 1_000),),
    (Limit(50, 1_000), Limit(200, 10_000)),
    (Limit(5, 1_000),),
    (Limit(30, 1_000), Limit(2_000, 3_600_000)),
    (Limit(2_000, 10_000, weighted=True), Limit(30, 1_000)),
)
EACH: tuple[tuple[Limit, ...], ...] = (
    (Limit(2, 1_000),),
    (Limit(10, 1_000), Limit(40, 10_000)),
    (Limit(1, 5_000),),
    (Limit(30, 60_000),),
    (Limit(1, 1_000), Limit(40, 3_600_000, "UTC")),
    (Limit(100, 30_000, "America/New_York"),),
    (Limit(3, 1_000, arrives=200),),
    (Limit(100, 5_000, weighted=True), Limit(5, 1_000)),
)
TURNAROUND = 150
"""As of a quota without keys, two more requests for keys and their pages, and half of the least time between writes."""
PLANS = 0.3
"""The share of schedules in which a plan is changed."""
HEALTHY = 6
"""Keys that are measured at the end."""


@dataclass
class KeyedResult(Result):
    """`starved` names keys that were called less than their tiers and the shared ones allow."""

    starved: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return super().good and not self.starved


def run_keyed(seed: int) -> KeyedResult:
    """Run one schedule, in which a few pages are a long line of them."""
    with contextlib.redirect_stdout(io.StringIO()), without_collector(), patch.object(page_line, "PACKED", 2):
        return _run(random.Random(f"{seed} keys"), seed)  # noqa: S311 -- a schedule


def _run(draw: random.Random, seed: int) -> KeyedResult:
    shared, each = list(draw.choice(SHARED)), list(draw.choice(EACH))
    start = MIDNIGHT + draw.choice((0, 2 * 3_600_000 - 30_000))
    span = draw.choice((20_000, 60_000, 150_000))
    faults, trouble = drawn_faults(draw, start + span)
    source = draw.choice(("$.key", "key", MESSAGE_GROUP))
    joins = draw.random() < 0.15
    world = World(
        seed,
        shared,
        start=start,
        faults=faults,
        trouble=trouble,
        parallelism=draw.choice((10, 20, 40)),
        max_attempts=draw.choice((2, 3, 5)),
        weight=draw.choice(("$.weight", "weight")),
        key=source,
        key_limits=each,
    )
    if joins:  # keys come with a deployment
        world.settings = replace(world.settings, key="", key_tiers=[])
        world.tag()
    result = KeyedResult(seed)
    try:
        _play(draw, world, shared, each, span, result, joins=joins)
    finally:
        world.finish()
    return result


def _play(
    draw: random.Random,
    world: World,
    shared: list[Limit],
    each: list[Limit],
    span: int,
    result: KeyedResult,
    *,
    joins: bool,
) -> None:
    hub, began = world.hub, world.hub.now
    count, keys = draw.choice((10, 40, 120)), draw.choice((1, 3, 12, 40))
    names = [f"tenant {number}" for number in range(keys)]
    odds = [1 / (rank + 1) ** 1.1 for rank in range(keys)]
    keyless = draw.choice((0.0, 0.0, 0.05))

    def key_of(_: int) -> str:
        return "" if draw.random() < keyless else draw.choices(names, odds)[0]

    world.key_of = key_of
    weights = [limit.limit for limit in (*shared, *each) if limit.weighted]
    if weights:
        world.weigh = lambda: draw.randint(1, max(1, min(weights) // draw.choice((2, 10, 10, 30))))
    if draw.random() < 0.5:
        hub.at(began, lambda: world.send(count))
    else:
        for _ in range(min(count, 40)):
            hub.at(began + draw.randint(0, span), lambda: world.send(1))
    if draw.random() < 0.3:
        world.follow_up = count
    troublesome = _trouble_of_keys(draw, world, names, span)
    plan = None if joins else _change_a_plan(world, names, each, span, result)
    changes: list[tuple[int, list[Limit], list[Limit]]] = [(began, shared, [] if joins else each)]
    if joins or draw.random() < 0.25:
        at = began + draw.randint(0, span)
        factor = draw.choice((1, 2, 3))
        new = each if joins else [replace(limit, limit=max(1, limit.limit * factor // 3)) for limit in each]
        hub.at(at, lambda: world.deploy(shared, new))
        hub.at(at + 60_000, world.forget_environments)
        changes.append((at, shared, new))
    hub.run(lambda: False, world.faults.until + QUIET)
    _measure(world, shared, changes[-1][2], names, troublesome, result)
    latest = hub.now + max(60, 2 * len(world.messages)) * max(60_000, *(limit.period for limit in (*shared, *each)))
    hub.run(world.settled, latest)
    hub.run(lambda: False, hub.now + 2 * LONGEST_CALL)
    _judge(world, changes, result)
    if plan and plan[0] in world.key_providers:
        name, lower, since, until = plan
        found = world.key_providers[name].exceeded(lower, since + SETTLED, until)
        result.exceeded += [f"plan of {name}: {problem}" for problem in found]
    result.milliseconds = hub.now - began


def _change_a_plan(
    world: World, names: list[str], each: list[Limit], span: int, result: KeyedResult
) -> tuple[str, list[Limit], int, int] | None:
    """Lower a key's plan for a while, in some schedules, which are the same in all else; return what holds then."""
    draw = random.Random(f"{result.seed} plans")  # noqa: S311 -- a schedule
    if draw.random() >= PLANS:
        return None
    name, since = draw.choice(names), world.hub.now + draw.randint(0, span)
    until = since + span + SETTLED
    lower = [replace(limit, limit=max(1, limit.limit // draw.choice((2, 3)))) for limit in each]
    if any(limit.weighted for limit in each):  # what weighs more than its plan grants is buried
        lower = [limit if limit.weighted else low for limit, low in zip(each, lower, strict=True)]
    given: dict[str, Any] = {
        tier_name(tier): low.limit for tier, low in zip(world.settings.key_tiers, lower, strict=True)
    }
    world.hub.at(since, lambda: world.set_plan(name, {**given, "nothing": 0, "1 of $.other": -3}))
    world.hub.at(until, lambda: world.set_plan(name, None))
    return name, lower, since, until


def _trouble_of_keys(draw: random.Random, world: World, names: list[str], span: int) -> set[str]:
    """Let a key be refused by the provider, fail whatever it calls, or call slowly, also after all other trouble."""
    kind = draw.choice(("none", "closed", "failing", "slow", "spent"))
    name = draw.choice(names[: len(names) // 2 + 1])
    until = world.hub.now + span + 2 * QUIET
    if kind in ("closed", "spent"):
        world.key_closed_until[name] = until
        world.says = "RetryAfter(2)"
    elif kind == "failing":
        world.key_fails.add(name)
    elif kind == "slow":
        world.key_slow.add(name)
    return set() if kind == "none" else {name}


def _measure(
    world: World, shared: list[Limit], each: list[Limit], names: list[str], troublesome: set[str], result: KeyedResult
) -> None:
    """Offer each key more than can be called, and count what is: no key is held up by its own past, or by another."""
    hub = world.hub
    if any(limit.zone for limit in each):
        return  # how much a day has left is not for this to know
    healthy = [name for name in names if name not in troublesome][:HEALTHY] or ["another"]
    hub.run(lambda: not any(world.messages[body].key in healthy for body in world.open), hub.now + 40 * 3_600_000)
    hub.run(lambda: False, hub.now + int(1.1 * max(limit.period for limit in (*shared, *each))) + LONGEST_CALL + 2_000)
    weights = [limit.limit for limit in (*shared, *each) if limit.weighted]
    weight = max(1, min(weights, default=1) // 10)

    def alike(limits: list[Limit]) -> list[Limit]:
        return [replace(limit, limit=limit.limit // weight) if limit.weighted else limit for limit in limits]

    world.weigh = lambda: weight
    world.follow_up = 0
    tightest = min(each, key=lambda limit: limit.limit / limit.period)
    span = min(20 * tightest.period, max(20_000, 2 * tightest.period))
    most = world.settings.key_parallelism
    of_key = possible_calls(alike(each), most, span, TURNAROUND)
    # A key that calls slowly may have half of the hands, and hold as many places.
    held = most if troublesome else 0
    slow = bool(world.key_slow)
    left = [
        replace(limit, limit=limit.limit // (1 + slow) if limit.weighted else max(1, limit.limit - held))
        for limit in shared
    ]
    of_all = possible_calls(alike(left), world.settings.parallelism - held, span, TURNAROUND)
    first = len(world.messages)
    # How many environments the function has is found out by trying, which takes a while after it was refused.
    warm = 60_000 if world.key_slow else 0
    lead = warm + 2 * span if warm else 0
    world.key_of = lambda number: healthy[number % len(healthy)]
    world.send((of_key * (span + lead) // span + 10) * len(healthy))
    rest = [str(number) for number in range(first, len(world.messages))]
    if troublesome:
        bad = next(iter(troublesome))
        world.key_of = lambda _: bad
        world.send(30)
    sent = since = hub.now
    before = len(world.provider.instants)
    hub.run(lambda: any(world.messages[body].calls for body in rest), hub.now + span)
    if warm:
        hub.run(lambda: False, hub.now + warm)
        # Where calls come in bursts, the span begins with one, as that of the possible calls does.
        hub.run(lambda: hub.now - _last_call(world, healthy) > 1_000, hub.now + span)
        begun = _last_call(world, healthy)
        hub.run(lambda: _last_call(world, healthy) > begun, hub.now + span)
        warmed = len(world.provider.instants) - before
        since, before = hub.now, before + warmed
        # Of a tier that is longer than all of this, the warm-up has had its part.
        long = [limit.limit - warmed for limit in alike(left) if limit.period > hub.now + span - sent]
        of_all = min([of_all, *long])
    hub.run(lambda: False, hub.now + span)
    made = Counter(world.messages[body].key for body in rest if since <= max(world.messages[body].calls, default=0))
    result.used = min(1.0, (len(world.provider.instants) - before + 2) / min(of_all, of_key * len(healthy)))
    fair = min(of_key, of_all // (len(healthy) + len(troublesome)))
    result.starved += [f"{name}: {made[name]} calls of {fair}" for name in healthy if made[name] + 2 < 0.9 * fair]


def _last_call(world: World, names: list[str]) -> int:
    """Return when one of these keys was called last."""
    return max((world.key_providers[name].instants[-1] for name in names if name in world.key_providers), default=0)


def _judge(world: World, changes: list[tuple[int, list[Limit], list[Limit]]], result: KeyedResult) -> None:
    for index, (since, shared, each) in enumerate(changes):
        until = changes[index + 1][0] if index + 1 < len(changes) else 1 << 60
        settled = since + (SETTLED if index else 0)
        result.exceeded += world.provider.exceeded(shared, settled, until)
        for key, provider in world.key_providers.items():
            result.exceeded += [f"{key}: {found}" for found in provider.exceeded(each, settled, until)]
    tiers = [limit for _, shared, each in changes for limit in (*shared, *each) if limit.weighted]
    most = min((limit.limit for limit in tiers), default=1)
    keyed_since = next((since for since, _, each in changes if each), 0)
    for sent in world.messages.values():
        result.calls += len(sent.calls)
        result.repeated += max(0, len(sent.ends) - 1)
        if sent.done is None and not sent.dead:
            result.lost.append(f"message {sent.body} of {sent.sent}, called at {sent.calls}")
        if not sent.key and any(at > keyed_since + SETTLED for at in sent.calls):
            result.exceeded.append(f"message {sent.body} is called, though it has no key")
        refused = not sent.key or sent.weight > most  # of a tier that was lowered
        if sent.dead and not refused and sent.failed < world.settings.max_attempts:
            result.untried.append(f"message {sent.body} failed {sent.failed} times")
