"""How keys take turns: each call gets a slot in the tiers of its key and in the shared ones, with one start."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from .taking import Taking
from .weights import HEAVIEST, charged

if TYPE_CHECKING:
    from .grants import Slot
    from .held import Held
    from .key_counter import KeyCounter
    from .keyed_counter import KeyedCounter

_TRIES = 4
"""Of a start that suits the tiers of a key and the shared ones."""


class KeyTurns:
    """Takes for one write.

    Parameters
    ----------
    counter
        Whose keys.
    owner
        The taker.

    Attributes
    ----------
    exhausted
        The shared tiers grant nothing more.
    shared_next
        When they do again.
    """

    def __init__(self, counter: KeyedCounter, owner: str) -> None:
        self.exhausted = False
        self.shared_next: int | None = None
        self._counter = counter
        self._quota = counter.quota
        self._owner = owner
        self._served = 0

    def take(self, room: int, ahead: int, most_ahead: int) -> list[tuple[Slot, Held]]:
        """Take calls, in the order of their starts.

        Those first that may start now, one for each key in turn, beginning with who was served longest ago. Then those
        that may start soonest.

        Parameters
        ----------
        room
            How many that start now.
        ahead
            The others start within so long (ms).
        most_ahead
            How many of them.
        """
        clock = self._quota.clock
        waiting = [(entry, number) for number, entry in self._counter.index.due(clock + ahead)]
        turn = deque(number for _, number in sorted((e.served, n) for e, n in waiting if (e.ready or 0) <= clock))
        soon = [(entry.ready or 0, number) for entry, number in waiting if (entry.ready or 0) > clock]
        calls: list[tuple[Slot, Held]] = []
        while turn and len(calls) < room and not self.exhausted:
            number = turn.popleft()
            key = self._counter.key_on_plan(number, turn)
            if call := self._take_for(key, 0, ahead):
                calls.append(call)
                turn.append(number)
            elif clock < key.blocked_until <= clock + ahead:
                soon.append((key.blocked_until, number))
        room = len(calls) + most_ahead
        heapify(soon)
        while soon and len(calls) < room and not self.exhausted:
            _, number = heappop(soon)
            key = self._counter.key_on_plan(number, (other for _, other in soon))
            if call := self._take_for(key, ahead, ahead):
                calls.append(call)
                heappush(soon, (call[0].start, number))
        return sorted(calls, key=lambda call: call[0].start)

    def _take_for(self, key: KeyCounter, ahead: int, shared: int) -> tuple[Slot, Held] | None:
        """Take a call of a key that starts within `ahead` as its own tiers have it, and within `shared` in all."""
        held = key.line.peek(self._quota.clock, self._counter.weigh) if key.may_call() else None
        if held is None:
            return None
        windows = (*self._quota.windows, *key.quota.windows)
        most = min((window.limit for window in windows if window.weight), default=HEAVIEST)
        weight = charged(held.ref.weight, most) if self._counter.unit else 1
        if self._holds_too_much(key, weight):
            return None
        slot = self._pair(key, (ahead, shared), weight)
        if slot is None:
            return None
        slot = slot._replace(unit=self._counter.unit, most=most)
        key.line.hand_out(held)
        key.quota.grants[slot.grant].messages.append(held)
        self._served += 1  # one after the other, though the clock stands still meanwhile
        key.served = self._quota.clock + self._served
        self._counter.index.touch(key.line.number)
        return slot, held

    def _holds_too_much(self, key: KeyCounter, weight: int) -> bool:
        """Tell whether calls of a key would hold more than half of what all share of weights, while they are slow."""
        most = min((window.limit // 2 for window in self._quota.rolling if window.weight), default=HEAVIEST)
        grants = [grant for grant in key.quota.grants.values() if grant.calls]
        if not grants or sum(grant.weight for grant in grants) + weight <= most:
            return False
        key.blocked_until = min(grant.until for grant in grants)  # or until one is reported
        return True

    def _pair(self, key: KeyCounter, ahead: tuple[int, int], weight: int) -> Slot | None:
        """Take a slot of the key and one of the shared tiers, with one start."""
        after = 0
        for _ in range(_TRIES):
            taking = Taking(key.quota, self._owner, ahead[after > 0])
            slot = taking.next(weight, after=after)
            if slot is None:
                key.blocked_until = taking.next_start or 0
                return None
            shared = Taking(self._quota, self._owner, ahead[1])
            above = shared.next(weight, after=slot.start)
            if above is None:
                key.quota.give_back(slot)
                self.exhausted, self.shared_next = True, shared.next_start or self._first_expiry()
                return None
            if above.start == slot.start:
                return slot._replace(above=above)
            key.quota.give_back(slot)
            self._quota.give_back(above)
            after = above.start
        return None

    def _first_expiry(self) -> int:
        ends = [grant.until for grant in self._quota.grants.values() if grant.calls]
        return min(ends, default=self._quota.clock + 1_000)
