"""Faults put into the code of keys on purpose, each of which a schedule must find."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from handlers.quota_dispatcher import caller, intake, key_index, key_turns, keyed_counter
from handlers.quota_dispatcher.calls import Calls
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.grants import Grant
from handlers.quota_dispatcher.key_counter import KeyCounter, KeyShelf
from handlers.quota_dispatcher.key_library import KeyLibrary
from handlers.quota_dispatcher.key_sorting import Run
from handlers.quota_dispatcher.key_turns import KeyTurns
from handlers.quota_dispatcher.keyed_counter import KeyedCounter
from handlers.quota_dispatcher.quota import Quota
from handlers.quota_dispatcher.taking import Taking
from tests.simulation.keyed_account import one_in_trouble, waits
from tests.simulation.keyed_schedule import run_keyed
from tests.simulation.mutations import Mutation, write_without_condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handlers.quota_dispatcher.grants import Slot
    from handlers.quota_dispatcher.held import Held
    from handlers.quota_dispatcher.reports import Report


def broken(seed: int) -> bool:
    """Tell whether a schedule breaks a promise."""
    try:
        return not run_keyed(seed).good
    except (AssertionError, KeyError, ValueError, IndexError, OSError):
        return True


def touched(seed: int) -> bool:
    """Tell whether what happens to one tenant is felt by another; each seed is another kind of trouble."""
    kinds = (("closed", 4), ("heavy", 4), ("slow", 2.5))
    return seed < len(kinds) and max(waits(one_in_trouble(kinds[seed][0]), "quiet")) > kinds[seed][1]


def _attribute(name: str, owner: Any, attribute: str, value: Any, find: Callable[[int], bool] = broken) -> Mutation:
    return Mutation(name, lambda: patch.object(owner, attribute, value), find)


def _mutation(
    name: str, owner: Any, attribute: str, make: Callable[[Any], Any], find: Callable[[int], bool] = broken
) -> Mutation:
    """Put in place of a method what `make` makes of it."""
    return Mutation(name, lambda: patch.object(owner, attribute, make(getattr(owner, attribute))), find)


def _always(*_: object) -> bool:
    return True


def _never(*_: object) -> bool:
    return False


def _one(*_: object) -> int:
    return 1


def _clock(self: KeyCounter) -> int:
    return self.quota.clock


def _without_shared(self: KeyTurns, key: KeyCounter, ahead: Any, weight: int) -> Any:
    slot = Taking(key.quota, self._owner, ahead[1]).next(weight)
    above = Taking(self._quota, self._owner, 1 << 50).next(weight)
    return slot and above and slot._replace(above=above)


def _same_name(volume: int, wall: int) -> str:
    del wall
    return f"keys/{volume}/1-same"


def _keeps(*_: object) -> None:
    """Give nothing back."""


def _follows_alone(self: KeyCounter, quota: Quota) -> bool:
    before = len(self.quota.grants)
    self.quota.follow(quota)
    return len(self.quota.grants) < before


def _number(self: Run) -> int:
    return (self.page << 34) + (self.lane << 24)


@contextmanager
def _pages_after_the_counter() -> Iterator[None]:
    write, tidy = KeyLibrary.write_down, KeyLibrary.tidy

    def without(self: KeyLibrary, counter: KeyedCounter) -> None:
        with patch.object(counter.draft, "pages", dict[str, str]()):
            write(self, counter)

    def late(self: KeyLibrary, counter: KeyedCounter) -> None:
        self._blobs.put(counter.draft.pages)
        tidy(self, counter)

    with patch.object(KeyLibrary, "write_down", without), patch.object(KeyLibrary, "tidy", late):
        yield


def _deletes_first(write_down: Any) -> Any:
    def hasty(self: KeyLibrary, counter: KeyedCounter) -> None:
        write_down(self, counter)
        self._blobs.delete(counter.index.replaced)

    return hasty


def _stays_first(take_for: Any) -> Any:
    def unfair(self: KeyTurns, key: KeyCounter, *ahead: int) -> tuple[Slot, Held] | None:
        call = take_for(self, key, *ahead)
        key.served = 0
        return call

    return unfair


def _one_by_one(take: Any) -> Any:
    def greedy(self: KeyTurns, room: int, ahead: int, most_ahead: int) -> Any:
        class First(list[Any]):
            def append(self, thing: Any) -> None:
                self.insert(0, thing)

            def popleft(self) -> Any:
                return self.pop(0)

        with patch.object(key_turns, "deque", First):
            return take(self, room, ahead, most_ahead)

    return greedy


def _gives_up_all(give_up: Any) -> Any:
    def all_of_them(self: Calls, key: int | None = None) -> None:
        del key
        give_up(self)

    return all_of_them


def _shared_is_not_released(report: Any) -> Any:
    def keeps(self: KeyedCounter, what: Report) -> None:
        above = what.slot.above
        if above is None:
            report(self, what)
            return
        with patch.object(self.quota, "grants", dict[str, Grant]()):
            report(self, what)

    return keeps


def _signal_for_all(report: Any) -> Any:
    def loud(self: KeyedCounter, what: Report) -> None:
        report(self, what)
        if what.slot.above is not None:
            self._heed(what)

    return loud


def _keeps_old_tiers(self: Counter, tiers: list[dict[str, Any]]) -> None:
    del self, tiers


def _forgets_whatever_is_not_looked_at(seal: Any) -> Any:
    def forgetful(self: Any, clock: int, weigh: Any) -> None:
        seal(self, clock, weigh)
        for volume in self._changed:
            self._volumes[volume] = {n: e for n, e in self._volumes[volume].items() if n in self._keys}

    return forgetful


def _is_ready_later(ready: Any) -> Any:
    def late(self: KeyCounter, weigh: Any) -> int | None:
        events = [entry.due for entry in self.shelf.returned if entry.due > self.quota.clock]
        return min(events, default=None) if self.quota.in_flight else ready(self, weigh)

    return late


def _failures_are_forgotten(hand_out: Any) -> Any:
    def fresh(self: KeyShelf, held: Held) -> None:
        hand_out(self, held)
        self.returned = [entry for entry in self.returned if entry.held.failures == 0]

    return fresh


@contextmanager
def _calls_who_has_no_key() -> Iterator[None]:
    def silent(*_: object) -> str:
        return ""

    with patch.object(caller, "key_refusal", silent), patch.object(intake, "key_refusal", silent):
        yield


KEYED = (
    (Mutation("the write has no condition", write_without_condition, broken), 0),
    (_attribute("a key is forgotten at once", KeyCounter, "forget_at", _clock), 0),
    (_attribute("the shared tiers are not asked", KeyTurns, "_pair", _without_shared), 0),
    (_attribute("a page of a key is deleted with its first message", keyed_counter, "is_finished", _always), 0),
    (_attribute("a volume is written under its old name", key_index, "new_name", _same_name), 2),
    (_attribute("a message of a key weighs 1", KeyedCounter, "weigh", _one), 3),
    (_attribute("a key may have any number of calls in flight", KeyCounter, "may_call", _always, touched), 2),
    (_attribute("slots without a call are not given back", Quota, "give_back", _keeps), 0),
    (_attribute("messages of a key whose taker vanished are forgotten", KeyCounter, "follow", _follows_alone), 13),
    (_attribute("pages of a key have the number of their page alone", Run, "number", property(_number)), 10),
    (Mutation("pages are put after the counter that names them", _pages_after_the_counter, broken), 7),
    (_mutation("volumes are deleted before the counter is written", KeyLibrary, "write_down", _deletes_first), 11),
    (_mutation("who was served remains the first", KeyTurns, "_take_for", _stays_first), 7),
    (_mutation("a key is served until it has nothing left", KeyTurns, "take", _one_by_one), 341),
    (_mutation("shared slots are held after the call", KeyedCounter, "report", _shared_is_not_released), 0),
    (_mutation("a signal of a key stops all", KeyedCounter, "report", _signal_for_all, touched), 0),
    (_attribute("tiers of a key stay what they were", KeyCounter, "adopt", _keeps_old_tiers), 0),
    (_mutation("who is not looked at is forgotten", key_index.KeyIndex, "seal", _forgets_whatever_is_not_looked_at), 0),
    (_mutation("what waits is not seen while calls are in flight", KeyCounter, "ready", _is_ready_later), 1),
    (_mutation("messages that have failed are dropped", KeyShelf, "hand_out", _failures_are_forgotten), 6),
    (Mutation("a message without a key is called", _calls_who_has_no_key, broken), 5),
    (_attribute("calls of a key may hold all shared weight", KeyTurns, "_holds_too_much", _never, touched), 1),
)
"""Found by the schedules of `test_keys`, each by that of the seed first."""

NOT_FOUND = (
    # The others' slots are given back, and taken again by the next write: it costs them a moment.
    _mutation("a signal takes the slots of all keys", Calls, "give_up", _gives_up_all),
)
"""Found by no schedule, since something else in the code makes up for it."""
