"""Faults put into the code on purpose, each of which a schedule must find."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from handlers.quota_dispatcher import acquirer, caller, counter, dead_letters, filing, intake, quota, shelf
from handlers.quota_dispatcher.acquirer import Acquirer
from handlers.quota_dispatcher.arrival import Arrival
from handlers.quota_dispatcher.call import Verdict
from handlers.quota_dispatcher.clocks import Frame, Reading
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.dispatcher import Dispatcher
from handlers.quota_dispatcher.doorbell import Doorbell
from handlers.quota_dispatcher.estimate import Estimate
from handlers.quota_dispatcher.grants import Grant, Slot
from handlers.quota_dispatcher.held import Held
from handlers.quota_dispatcher.library import Library
from handlers.quota_dispatcher.quota import Quota
from handlers.quota_dispatcher.reports import Report
from handlers.quota_dispatcher.rolling_window import RollingWindow
from handlers.quota_dispatcher.shelf import Shelf
from handlers.quota_dispatcher.store import Item, Store
from tests.simulation import schedule
from tests.simulation.beside import a_caller_dies, a_tier_is_lowered
from tests.simulation.provider import Limit
from tests.simulation.schedule import run
from tests.simulation.test_once_broken import failing_for_ever, left_behind, of_long_calls, refused_at_once
from tests.simulation.test_simulation import calls_after_a_tier_was_lowered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.simulation.schedule import Result


def broken(seed: int) -> bool:
    """Tell whether a schedule breaks a promise."""
    return _breaks(lambda: run(seed))


def aimed(seed: int) -> bool:
    """Tell whether a schedule does, in which processes are struck where it hurts."""
    return _breaks(lambda: run(seed, aimed=True))


def resting(seed: int) -> bool:
    """Tell whether a schedule breaks a promise, of those that come to rest when rings are kept for nobody."""
    return broken(seed + 2)


def leaving(seed: int) -> bool:
    """Tell whether a message that arrives while the dispatcher leaves is left behind."""
    return left_behind(5 * seed)


def lowering(seed: int) -> bool:
    """Tell whether a dispatcher goes on with the tiers that a deployment has lowered."""
    return seed == 0 and bool(calls_after_a_tier_was_lowered())


def arriving(seed: int) -> bool:
    """Tell whether calls that count when they arrive exceed a tier."""
    return seed < 5 and bool(of_long_calls(Limit(10, 1_000, arrives=400), seed)[1])


def failing(seed: int) -> bool:
    """Tell whether a message that fails whenever it is called is not buried."""
    return seed == 0 and not failing_for_ever(0)


def weighing(seed: int) -> bool:
    """Tell whether a message is called whose weight no tier grants."""
    return seed == 0 and any(sent.calls for sent in list(refused_at_once(100).messages.values())[:2])


def beside(seed: int) -> bool:
    """Tell whether a schedule breaks a promise, in which other functions call the provider themselves."""
    with patch.object(schedule, "CALL_BESIDE", 1.0):
        return broken(seed) or aimed(seed)


def dying(seed: int) -> bool:
    """Tell whether the place of a caller that died is given to another too early."""
    return bool(a_caller_dies(seed))


def lowered(seed: int) -> bool:
    """Tell whether callers go on with the tiers of before a deployment."""
    return seed == 0 and bool(a_tier_is_lowered(0))


def _breaks(play: Callable[[], Result]) -> bool:
    try:
        return not play().good
    except (AssertionError, KeyError, ValueError, IndexError):
        return True


@dataclass(frozen=True)
class Mutation:
    """What is wrong with the code, and how it is made so."""

    name: str
    apply: Callable[[], AbstractContextManager[Any]]
    broken: Callable[[int], bool] = broken
    """Tells by a seed whether something is wrong."""


def _attribute(name: str, owner: Any, attribute: str, value: Any, find: Callable[[int], bool] = broken) -> Mutation:
    return Mutation(name, lambda: patch.object(owner, attribute, value), find)


def _high(self: Frame, now: Reading) -> int:
    return self.clock + now.monotonic - self.at.monotonic


def _by_start(self: RollingWindow, mark: int) -> int:
    return mark * self.grain + self.period - 120


def _arrives_at_once(window: RollingWindow, slot: Slot, begun: int | None) -> int:
    return (slot.start if begun is None else begun) - 500


def _always(*_: object) -> bool:
    return True


def _nothing(*_: object) -> None:
    return None


def _no_groups(*_: object) -> set[int]:
    return set()


def _all_opened(self: Shelf, *_: object) -> set[tuple[int, int]]:
    return set(self.opened)


@contextmanager
def write_without_condition() -> Iterator[None]:
    write = Store.write

    def careless(self: Store, seen: Item, *arguments: Any, **options: Any) -> tuple[bool, Item]:
        return write(self, self.read(), *arguments, **options)

    with patch.object(Store, "write", careless):
        yield


@contextmanager
def _leave_without_looking() -> Iterator[None]:
    write = Store.write

    def hasty(self: Store, *arguments: Any, **options: Any) -> tuple[bool, Item]:
        return write(self, *arguments, **{**options, "leaving": False})

    with patch.object(Store, "write", hasty):
        yield


@contextmanager
def _end_counts_at_the_start() -> Iterator[None]:
    ended = Quota.ended

    def early(self: Quota, slot: Slot, _: int, *rest: int | None) -> None:
        ended(self, slot, slot.start, *rest)

    with patch.object(Quota, "ended", early):
        yield


@contextmanager
def _forgets_vanished_takers() -> Iterator[None]:
    def forget(self: Quota, grant: Grant) -> list[Held]:
        return grant.messages

    with patch.object(Quota, "_expire", forget):
        yield


@contextmanager
def _signals_are_failures() -> Iterator[None]:
    report = Counter.report

    def strict(self: Counter, what: Report) -> None:
        signals = (Verdict.RETRY_AFTER, Verdict.REFUSED, Verdict.NOT_STARTED)
        verdict = Verdict.FAILED if what.verdict in signals else what.verdict
        report(self, Report(what.slot, what.held, what.at, verdict, what.milliseconds, what.settled))

    with patch.object(Counter, "report", strict):
        yield


@contextmanager
def _drops_what_vanished_takers_held() -> Iterator[None]:
    advance = Quota.advance

    def forgetful(self: Quota, now: Reading, mine: Frame | None = None) -> list[Held]:
        advance(self, now, mine)
        return []

    with patch.object(Quota, "advance", forgetful):
        yield


@contextmanager
def _newcomers_trust_their_clock() -> Iterator[None]:
    with patch.object(quota, "MAX_SKEW", -2_000):
        yield


@contextmanager
def _recognized_by_the_last_token() -> Iterator[None]:
    written = Dispatcher._written

    def shortsighted(self: Dispatcher, plans: dict[str, Any]) -> Any:
        return written(self, plans) if self._item.token in plans else None

    with patch.object(Dispatcher, "_written", shortsighted):
        yield


@contextmanager
def _wall_goes_back() -> Iterator[None]:
    advance = Quota.advance

    def forgetful(self: Quota, now: Reading, mine: Frame | None = None) -> list[Held]:
        held = advance(self, now, mine)
        self.wall = now.wall
        return held

    with patch.object(Quota, "advance", forgetful):
        yield


def _takes_the_least(weight: int, most: int) -> int:
    return 1 if weight else most


@contextmanager
def _refuses_nothing() -> Iterator[None]:
    def never(*_: object) -> str:
        return ""

    with patch.object(caller, "refusal", never), patch.object(intake, "refusal", never):
        yield


def _uses_nothing(*_: object) -> int:
    return 1


def _trusting(cls: type[Estimate], of_counter: Counter, now: Reading, token: str) -> Estimate:
    clock, wall = of_counter.quota.clock, of_counter.quota.wall
    of_counter.advance(now, None)
    return cls(of_counter.quota.clock, of_counter.quota.clock, clock, wall, of_counter.timed_by or token)


@contextmanager
def _callers_end_at_the_start() -> Iterator[None]:
    report = Acquirer._report

    def early(self: Acquirer, slot: Slot, now: Reading, request: dict[str, Any]) -> Report:
        return report(self, slot, now, {**request, "elapsed": 0})

    with patch.object(Acquirer, "_report", early):
        yield


def _last_token(self: Acquirer, item: Item, _: str) -> str:
    del self
    return item.token


def _unchecked(self: Counter, report: Report) -> None:
    self._release(report)
    self._heed(report)


MUTATIONS = (
    Mutation("the write has no condition", write_without_condition),
    Mutation("a call counts from its start, not from its end", _end_counts_at_the_start),
    Mutation("calls of a vanished dispatcher are forgotten", _forgets_vanished_takers),
    Mutation("messages of a vanished dispatcher are forgotten", _drops_what_vanished_takers_held),
    Mutation("a signal is a failure", _signals_are_failures),
    Mutation("a newcomer's clock counts in full, and more", _newcomers_trust_their_clock),
    _attribute("a place is free before its period is over", RollingWindow, "_release", _by_start),
    _attribute("the intake never rings", filing, "watched", _always),
    _attribute("an attempt that came through is not recognized", Dispatcher, "_written", _nothing, resting),
    _attribute("in order, groups don't wait", Counter, "groups", _no_groups),
    _attribute("the ring is not kept for the other that answers it", Arrival, "verdict", _always),
    _attribute("a page that comes late is given up at once", shelf, "HOLE", -1),
    _attribute("pages are deleted while messages on them are in the air", Shelf, "finished", _all_opened),
    _attribute("the tiers of the last deployment are not asked for", Doorbell, "current", _always, lowering),
    Mutation("it leaves without looking for new pages", _leave_without_looking, leaving),
    _attribute("an end is stamped by the monotonic clock alone", Frame, "high", _high, aimed),
    _attribute("a call has arrived before it begins", quota, "_arrived", _arrives_at_once, arriving),
    _attribute("a late slot is used", caller, "LATE", 30_000, aimed),
    _attribute("a reason goes into the dead letter as it is", dead_letters, "_FORBIDDEN", re.compile("(?!)"), failing),
    _attribute("abandoned pages are not swept", Library, "sweep", _nothing),
    _attribute("a slot takes less than its message weighs", counter, "charged", _takes_the_least),
    _attribute("a call is taken to have used less than it has", caller, "_used", _uses_nothing),
    _attribute("a limit that the provider has lowered is not kept to", RollingWindow, "lower", _nothing),
    Mutation("a message that no tier will ever grant is called", _refuses_nothing, weighing),
    Mutation("a caller's call counts from its start, not from its end", _callers_end_at_the_start, beside),
    _attribute("callers trust their clocks", Estimate, "of", classmethod(_trusting), beside),
    _attribute("callers set the quota's clock", Estimate, "leave", _nothing, beside),
    _attribute("a caller's slot expires before its invocation", acquirer, "ON_ITS_WAY", -8_000, dying),
    _attribute("callers don't ask for the tiers of the last deployment", Acquirer, "_adopt", _always, lowered),
)
"""Found by the schedules of `test_mutations`."""

NOT_FOUND = (
    # A report that comes twice is void, since its message is no longer in the grant: the second write costs a moment.
    Mutation("a write is recognized by the last token alone", _recognized_by_the_last_token, aimed),
    # Only clocks that differ by more than the second that is allowed for would show it; `test_quota` has such clocks.
    Mutation("the time of a clock that was set back counts twice", _wall_goes_back, aimed),
    # It takes a second slot for a caller whose first write came through unseen, which expires: that costs a place.
    _attribute("a caller's write is recognized by the last token alone", Acquirer, "_written", _last_token, beside),
    # Its slot was released with its grant, and a grant that is gone releases nothing.
    _attribute("a caller's report may come twice", Counter, "report_acquired", _unchecked, beside),
)
"""Found by no schedule, since something else in the code makes up for them."""
