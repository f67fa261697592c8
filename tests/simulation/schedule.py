"""One schedule: what is sent, what goes wrong, what is changed; drawn from a seed, judged at its end."""

from __future__ import annotations

import contextlib
import gc
import io
import random
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from handlers.quota_dispatcher.hands import GROWTH
from handlers.quota_dispatcher.plan import STAY
from handlers.quota_dispatcher.store import Item, counter_id
from tests.simulation.callers import Caller, call, on_virtual_time
from tests.simulation.first_release import leave_behind
from tests.simulation.provider import DAY, Limit
from tests.simulation.services import Faults
from tests.simulation.world import DOOR, LONGEST_CALL, PRIORITY, Trouble, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handlers.quota_dispatcher.counter import Counter

MIDNIGHT = int(datetime(2026, 3, 8, 0, tzinfo=ZoneInfo("America/New_York")).timestamp() * 1000)
"""A day of 23 hours begins."""
FALL = int(datetime(2026, 11, 1, 0, tzinfo=ZoneInfo("America/New_York")).timestamp() * 1000)
RAMADAN = int(datetime(2027, 2, 7, 0, tzinfo=ZoneInfo("Africa/Casablanca")).timestamp() * 1000)
TURNAROUND = 35
"""From the end of a call until the same hand starts the next one: the way back, a write, and the way there."""
RING = 300
"""Until the dispatcher is back that left for a longer rest: a queue that is asked, and an invocation."""
CALL_BESIDE = 0.2
"""The share of schedules in which functions call the provider themselves."""
DIVIDED = 0.1
"""The share of schedules in which the quota has several counters, if it can."""
QUIET = 1_200_000
"""From the last fault until the account must be well again: the longest pause (15 min) and the longest lease."""

SETTLED = 40_000 + LONGEST_CALL
"""From a deployment on, what is in the air may still be the old tiers'."""

TIERS: tuple[tuple[Limit, ...], ...] = (
    (Limit(10, 1_000),),
    (Limit(20, 1_000), Limit(150, 10_000)),
    (Limit(30, 1_000), Limit(200, 60_000)),
    (Limit(1, 1_000),),
    (Limit(2, 5_000),),
    (Limit(5, 60_000),),
    (Limit(1, 10_000),),
    (Limit(80, 10_000),),
    (Limit(15, 1_000), Limit(100, 3_600_000)),
    (Limit(10, 1_000), Limit(60, 3_600_000, "UTC")),
    (Limit(10, 1_000), Limit(80, DAY, "America/New_York")),
    (Limit(20, 1_000), Limit(50, DAY // 4, "America/New_York")),
    (Limit(20, 1_000), Limit(60, DAY, "Africa/Casablanca")),
    (Limit(100, 30_000, "America/New_York"),),
    (Limit(10, 1_000, arrives=200),),
    (Limit(80, 10_000, arrives=1_000), Limit(200, 60_000, arrives=500)),
    (Limit(1_000, 10_000, weighted=True), Limit(20, 1_000)),
    (Limit(50, 1_000, weighted=True),),
    (Limit(100_000, 60_000, weighted=True), Limit(30, 10_000)),
    (Limit(10, 1_000), Limit(600, 3_600_000, "UTC", weighted=True)),
    (Limit(200, 5_000, arrives=300, weighted=True),),
)

AIMED: tuple[tuple[Limit, ...], ...] = (
    (Limit(1, 10_000),),
    (Limit(2, 5_000),),
    (Limit(5, 20_000),),
    (Limit(1, 2_000, arrives=500),),
)


@dataclass
class Result:
    """What a schedule came to; the lists are empty when all is well.

    Attributes
    ----------
    used
        Calls made after the last fault, as a share of those that were possible; one at the edge of the span is let off,
        and, where the function has few environments, those that were tried beyond them.
    """

    seed: int
    exceeded: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    used: float = 1.0
    calls: int = 0
    repeated: int = 0
    callers: list[Caller] = field(default_factory=list, repr=False)
    milliseconds: int = 0

    @property
    def good(self) -> bool:
        return not (self.exceeded or self.lost or self.untried or self.order or self.pages) and self.used >= 0.95


def run(seed: int, *, aimed: bool = False) -> Result:
    """Run one schedule; an aimed one has no other trouble than processes that are struck where it hurts."""
    with contextlib.redirect_stdout(io.StringIO()), without_collector(), on_virtual_time():
        return _run(random.Random(seed), seed, aimed=aimed)  # noqa: S311 -- a schedule


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """A schedule is short and leaves little behind: to look for cycles meanwhile takes a tenth of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _run(draw: random.Random, seed: int, *, aimed: bool) -> Result:
    limits = list(draw.choice(AIMED if aimed else TIERS))
    ordered = draw.random() < 0.25 and not aimed
    start = _start(draw, limits)
    later = limits if any(limit.weighted for limit in limits) and draw.random() < 0.25 else None
    if later:  # it counts calls at first
        limits = [replace(limit, limit=min(30, limit.limit), weighted=False) for limit in limits]
    span = 150_000 if aimed else draw.choice((20_000, 60_000, 150_000))
    faults, trouble = drawn_faults(draw, start + span)
    if aimed:
        faults = Faults(start + span, answer_lost=0.1)
        trouble = Trouble(aimed=0.3, stopped_clocks=True, slow_calls=0.5)
    counters = 1 if ordered or aimed or later else _counters(seed, limits)
    world = World(
        seed,
        limits,
        start=start,
        faults=faults,
        trouble=trouble,
        ordered=ordered,
        lanes=draw.choice((1, 1, 3)),
        priority=draw.random() < 0.25,
        parallelism=draw.choice((3, 10, 10, 20)),
        max_attempts=draw.choice((2, 3, 5)),
        weight=draw.choice(("$.weight", "weight")),
        counters=counters,
        batch=100 if counters == 1 else 5,
    )
    world.weighted = world.weighted or bool(later)
    result = Result(seed)
    try:
        _play(draw, world, limits, later, span, result)
    finally:
        world.finish()
    return result


def _counters(seed: int, limits: list[Limit]) -> int:
    draw = random.Random(f"{seed} counters")  # noqa: S311 -- a schedule
    if any(limit.weighted for limit in limits) or draw.random() >= DIVIDED:
        return 1
    return min(draw.choice((2, 3, 5)), *(limit.limit for limit in limits))


def counters_of(world: World) -> list[Counter]:
    """Return the state of each counter that was ever written."""
    settings, items = world.settings, world.dynamodb.items
    each = [(number, items.get(counter_id(number))) for number in range(settings.counters)]
    return [Item.read(item).counter(settings.divided(settings.counters, number)) for number, item in each if item]


def _start(draw: random.Random, limits: list[Limit]) -> int:
    zones = {limit.zone for limit in limits}
    instant = RAMADAN if "Africa/Casablanca" in zones else draw.choice((MIDNIGHT, FALL))
    before = draw.choice((0, 30_000, 2 * 3_600_000))
    return instant + 2 * 3_600_000 - before if draw.random() < 0.5 else instant - before


def drawn_faults(draw: random.Random, until: int) -> tuple[Faults, Trouble]:
    def some(most: float) -> float:
        return draw.choice((0.0, 0.0, most / 4, most))

    faults = Faults(until, some(0.05), some(0.05), some(0.03), some(0.1), some(0.2))
    stops = draw.random() < 0.5
    trouble = Trouble(
        kills=some(0.05),
        stalls=some(0.1),
        longest_stall=draw.choice((3_000, 20_000, 120_000, 900_000)),
        stopped_clocks=stops,
        skew=draw.choice((0, 100, 480)),
        slow_calls=some(0.1),
        unanswered=some(0.05),
        refused_calls=some(0.1),
        failures=some(0.2),
        signals=some(0.1),
        aimed=some(0.1),
    )
    return faults, trouble


def _play(
    draw: random.Random, world: World, limits: list[Limit], later: list[Limit] | None, span: int, result: Result
) -> None:
    hub, began = world.hub, world.hub.now

    def group(number: int) -> str:
        return f"g{number % 5}" if world.settings.ordered else ""

    def urgent(_: int) -> str:
        return "urgent" if world.settings.ordered else ""

    changes = [(began, list(limits))]
    if world.weighted:
        world.weigh = _weights(draw, later or limits)
    count = draw.choice((5, 25, 80))

    def send(number: int) -> None:
        url = PRIORITY if PRIORITY in world.sqs.queues and draw.random() < 0.2 else DOOR
        world.send(number, url=url, group=group if url == DOOR else urgent)

    world.group = group
    if draw.random() < 0.3:
        world.follow_up = count
    if draw.random() < 0.15:
        world.environments = draw.choice((1, 3))
    if draw.random() < 0.2:
        leave_behind(world, limits, draw.choice((3, 20, 60)), group)
    if draw.random() < 0.5:
        hub.at(began, lambda: send(count))
    else:
        for _ in range(min(count, 30)):
            hub.at(began + draw.randint(0, span), lambda: send(1))
    _call_beside(world, later or limits, span, result)
    now = _change(draw, world, limits, later, span, changes)
    if draw.random() < 0.2:
        world.provider_closed_until = began + draw.randint(0, span)
    if draw.random() < 0.2:
        world.function_away_until = began + draw.randint(0, span)
    quiet = world.faults.until + QUIET
    hub.run(lambda: False, quiet)
    world.forget_environments()  # A deployment is over by then.
    # What the provider has said is believed for a day: a quota that rests for longer begins with its stated tiers.
    rests = any(limit.period >= DAY for limit in limits)
    if world.tells and not rests:
        known = [bool(counter.quota.learned.limits) for counter in counters_of(world)]
        if len(known) == world.settings.counters and all(known):
            changes.append((quiet - SETTLED, now))
    _measure(world, now, group, result)
    slowest = max(limit.period for limit in limits)
    latest = hub.now + max(60, 2 * len(world.messages)) * max(slowest, 60_000)
    hub.run(world.settled, latest)
    hub.run(lambda: False, hub.now + 2 * LONGEST_CALL)
    if draw.random() < 0.3 and world.settled() and world.settings.counters == 1:
        _sweep(world, result)
    _judge(world, changes, result)
    result.milliseconds = hub.now - began


def _call_beside(world: World, limits: list[Limit], span: int, result: Result) -> None:
    """Let other functions call the provider themselves, in some schedules, which are the same in all else."""
    draw = random.Random(f"{result.seed} callers")  # noqa: S311 -- a schedule
    if draw.random() >= CALL_BESIDE:
        return
    most = min((limit.limit for limit in limits if limit.weighted), default=1)

    def begin() -> None:
        within = draw.choice((None, 0.5, 5.0))
        result.callers.append(call(world, weight=draw.randint(1, max(1, most // 10)), within=within))

    for _ in range(draw.choice((3, 15, 40))):
        world.hub.after(draw.randint(0, span), begin)


def _sweep(world: World, result: Result) -> None:
    """A day later, with the next message, no page is left that nobody will look at."""
    hub = world.hub
    hub.run(lambda: False, hub.now + DAY + 10_000)
    for _ in range(3):  # the first one may be called by a process that has to be told of a page's end
        world.send(1, group=world.group)
        hub.run(world.settled, hub.now + 40 * DAY)
        hub.run(lambda: False, hub.now + 2 * LONGEST_CALL)
    counter = Item.read(world.dynamodb.items["quota"]).counter(world.settings)
    for name in world.dynamodb.items:
        if name != "quota":
            lane, page = (int(part) for part in name.split("/")[1:3])
            if counter.shelf.abandoned((lane, page)):
                result.pages.append(f"{name} is left")


def _change(
    draw: random.Random,
    world: World,
    limits: list[Limit],
    later: list[Limit] | None,
    span: int,
    changes: list[tuple[int, list[Limit]]],
) -> list[Limit]:
    """Let tiers be changed by a deployment, or by the provider; return those that hold in the end."""
    began = world.hub.now
    first = limits[0]
    learns = not (later or first.zone or first.weighted or first.limit < 4) and draw.random() < 0.3
    if learns:  # it has lowered its limit, and says so in each response
        world.tells = replace(first, limit=first.limit // 2)
        return [world.tells, *limits[1:]]
    if later or draw.random() < 0.25:
        at = began + draw.randint(0, span)
        new = later or [replace(limit, limit=max(1, limit.limit * draw.choice((1, 2, 3)) // 3)) for limit in limits]
        world.hub.at(at, lambda: world.deploy(new))
        changes.append((at, new))
        return new
    return limits


def _weights(draw: random.Random, limits: list[Limit]) -> Callable[[], int | str]:
    """Return what draws the weights of messages: most are light, some need a whole period, some make no sense."""
    most = min(limit.limit for limit in limits if limit.weighted)
    heavy = draw.choice((most // 20, most // 5, most))

    def weigh() -> int | str:
        if draw.random() < 0.03:
            return draw.choice(("abc", "-1", "NaN", "0", str(most + 1)))
        return draw.randint(1, most // 30) if draw.random() < 0.8 else draw.randint(1, heavy)

    return weigh


def _measure(world: World, limits: list[Limit], group: Callable[[int], str], result: Result) -> None:
    """Offer more than can be called, and count what is."""
    hub = world.hub
    tightest = min(limits, key=lambda limit: (10 if limit.weighted else limit.limit) / limit.period)
    span = min(20 * tightest.period, max(20_000, 2 * tightest.period))
    if any(limit.zone and limit.period >= DAY // 4 for limit in limits) or world.settings.ordered:
        return  # how much a day has left is not for this to know
    if world.settings.counters > 1:
        return  # a batch goes to one counter, and these are a few
    if not hub.run(world.settled, hub.now + 40 * 3_600_000):
        result.lost += [f"message {body} waits for ever" for body in world.open]
    calls = -1
    while calls != len(world.provider.instants):  # what was delivered twice is called when all is settled, too
        calls = len(world.provider.instants)
        hub.run(lambda: False, hub.now + int(1.1 * max(limit.period for limit in limits)) + LONGEST_CALL + 2_000)
    parallel = min(world.settings.parallelism, world.environments)
    weight = max(1, min((limit.limit for limit in limits if limit.weighted), default=1) // 10)
    alike = [replace(limit, limit=limit.limit // weight) if limit.weighted else limit for limit in limits]
    possible = possible_calls(alike, parallel, span)
    before, refused = len(world.provider.instants), world.refused
    world.weigh = lambda: weight
    world.send(possible + 30, group=group)
    hub.run(lambda: len(world.provider.instants) > before, hub.now + span)
    hub.run(lambda: False, hub.now + span)
    made = len(world.provider.instants) - before
    # Whether there are more environments is found out by trying, which costs a call.
    tried = min(world.refused - refused, span // GROWTH)
    result.used = min(1.0, (made + 1 + tried) / possible)


def possible_calls(limits: list[Limit], parallelism: int, span: int, turnaround: int = TURNAROUND) -> int:
    """Return how many calls of 85 ms can start within a span, each of which counts until a period after its end."""
    ends: list[int] = []
    while True:
        start = ends[-parallelism] + turnaround if len(ends) >= parallelism else 0
        for limit in limits:
            if len(ends) >= limit.limit:
                start = max(start, ends[-limit.limit] + limit.period + (2_000 + LONGEST_CALL if limit.zone else 0))
        if ends and start - ends[-1] > STAY:
            start += RING
        if start >= span:
            return len(ends)
        ends.append(start + 85)


def _judge(world: World, changes: list[tuple[int, list[Limit]]], result: Result) -> None:
    for index, (since, limits) in enumerate(changes):
        until = changes[index + 1][0] if index + 1 < len(changes) else 1 << 60
        settled = since + (SETTLED if index else 0)
        result.exceeded += world.provider.exceeded(limits, settled, until)
    most = min((limit.limit for _, limits in changes for limit in limits if limit.weighted), default=1)
    weighed = 0 if any(limit.weighted for limit in changes[0][1]) else changes[-1][0] + SETTLED
    for sent in world.messages.values():
        result.calls += len(sent.calls)
        result.repeated += max(0, len(sent.ends) - 1)
        if sent.done is None and not sent.dead:
            result.lost.append(f"message {sent.body} of {sent.sent}, called at {sent.calls}")
        if sent.poison and any(at > weighed for at in sent.calls):
            result.exceeded.append(f"message {sent.body} is called, though its weight makes no sense")
        refused = sent.poison or (world.weighted and sent.weight > most)
        if sent.dead and not refused and sent.failed < world.settings.max_attempts:
            result.untried.append(f"message {sent.body} failed {sent.failed} times")
    result.order += world.overlaps
    if world.settings.ordered:
        last: dict[str, tuple[int, str]] = {}
        for sent in world.messages.values():
            if sent.calls:
                first = sent.calls[0]
                if sent.group in last and first < last[sent.group][0]:
                    result.order.append(f"{sent.body} of {sent.group} before {last[sent.group][1]}")
                last[sent.group] = (first, sent.body)
