"""The quota of one key, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .compact_json import without_empty
from .counter import Counter
from .held import Held, Ref
from .key_plans import planned
from .page_line import PageLine
from .quota import Quota
from .shelf import MOST_RETURNED, Shelf
from .taking import Taking
from .tiers import window
from .weights import charged

if TYPE_CHECKING:
    from collections.abc import Callable

    from .key_plans import Limits

    Weigh = Callable[[Ref], int]
    """Returns the weight of a message."""

PLAN_AGAIN = 60_000
"""Milliseconds after which it is looked whether a key that waits has a higher plan by now."""
_AGAIN = 1_000
"""Milliseconds after which a key is looked at of which nobody knows when it goes on."""


@dataclass
class KeyShelf(Shelf):
    """What waits for one key.

    Attributes
    ----------
    number
        Of the key.
    pages
        Its pages with messages that were not handed out.
    index
        The first one of them on the first page.
    """

    number: int = 0
    pages: PageLine = field(default_factory=PageLine)
    index: int = 0

    def peek(self, clock: int, weigh: Weigh) -> Held | None:
        """Return the next message, and leave it there; None when none can be called now."""
        due = next((entry for entry in self.returned if entry.due <= clock), None)
        # Of a key whose every message fails, so many are remembered one by one, and the others wait.
        fresh = bool(self.pages) and len(self.returned) < MOST_RETURNED
        if due and (not fresh or not due.due or self.turn % 2):
            return due.held
        if not fresh:
            return None
        ref = Ref(self.number, self.pages.first[0][0], self.index)
        return Held(ref._replace(weight=weigh(ref)))

    def hand_out(self, held: Held) -> None:
        """Take away what `peek` has returned."""
        left = [entry for entry in self.returned if entry.held.ref[:3] != held.ref[:3]]
        if len(left) < len(self.returned):
            self.returned = left
        else:
            self.index += 1
            if self.index >= self.pages.first[0][1]:
                self.pages.drop_first()
                self.index = 0
        self.turn = 1 - self.turn

    def dump(self) -> dict[str, Any]:
        """Write the state as JSON knows it."""
        state = {
            "pages": self.pages.dump(),
            "index": self.index,
            "returned": [entry.held.ref.dump(entry.held.failures, entry.due) for entry in self.returned],
            "turn": self.turn,
        }
        return without_empty(state)

    def load(self, state: dict[str, Any]) -> KeyShelf:
        """Read what `dump` wrote."""
        super().load(state)
        self.pages = PageLine.load(state.get("pages", []))
        self.index = state.get("index", 0)
        return self


class KeyCounter(Counter):
    """One key's part of a `KeyedCounter`, which lends it the clock.

    Parameters
    ----------
    number
        Of the key.
    tiers
        Of its plan.
    longest_call
        As for `Quota`.
    most
        Calls that it may have in flight.

    Attributes
    ----------
    line
        The shelf.
    served
        When it was served last, by the quota's clock.
    limits
        Of its plan.
    blocked_until
        Its next message can't be called before, as far as was found out just now.
    """

    def __init__(self, number: int, tiers: list[dict[str, Any]], longest_call: int, most: int) -> None:
        super().__init__(tiers, longest_call, first=[], ordered=False)
        self.line = KeyShelf([], False, number=number)
        self.shelf: Shelf = self.line
        self.most = most
        self.served = 0
        self.limits: Limits = {}
        self.blocked_until = 0

    def _state(self) -> dict[str, Any]:
        quota = self.quota.dump()
        state = {"shelf": self.shelf.dump(), "limits": self.limits} | self._said_away()
        return {"tiers": self.tiers, "quota": quota, **without_empty(state)}

    def _restore(self, state: dict[str, Any]) -> None:
        self.tiers = state["tiers"]
        self.quota = Quota([window(**tier) for tier in self.tiers], self.quota.longest_call).load(state["quota"])
        self.line.load(state.get("shelf", {}))
        self.away, self.away_since = state.get("away", (0, 0))
        self.limits = state.get("limits", {})

    def keep_to(self, tiers: list[dict[str, Any]]) -> bool:
        """Have these tiers, with the limits of its plan. Return whether they are others than before."""
        before, own = self.tiers, planned(tiers, self.limits)
        self.adopt(own)
        return before != own

    def follow(self, quota: Quota) -> bool:
        """Let the clock be that of the quota above. Return whether slots have expired with that."""
        before = len(self.quota.grants)
        for held in self.quota.follow(quota):
            self.shelf.give_back(held, 0)
        return len(self.quota.grants) < before

    @property
    def waiting(self) -> int:
        """How many of its messages wait, for the first call or another."""
        return sum(count for _, count in self.line.pages) - self.line.index + len(self.line.returned)

    def may_call(self) -> bool:
        """Tell whether it has a hand free."""
        in_flight = self.quota.in_flight
        return in_flight < self.most and not (self.away and in_flight)

    def ready(self, weigh: Weigh) -> int | None:
        """When there may be something to do (by the quota's clock), if nothing is reported; None: nothing waits."""
        quota = self.quota
        events = [entry.due for entry in self.shelf.returned if entry.due > quota.clock]
        events += [grant.until for grant in quota.grants.values() if grant.calls]
        held = self.line.peek(quota.clock, weigh)
        if held and self.may_call():
            start = max(self.blocked_until, self._next_start(held.ref.weight))
            events.append(min(start, quota.clock + PLAN_AGAIN) if self.limits else start)
        return min(events, default=None)

    def forget_at(self) -> int | None:
        """From when on there is nothing to be remembered of it; None while something waits."""
        if self.line.pages or self.line.returned or self.away or self.quota.in_flight:
            return None
        return self.quota.empty_at()

    def _next_start(self, weight: int) -> int:
        quota = self.quota
        taking = Taking(quota, "", 0)
        slot = taking.next(charged(weight, quota.heaviest) if quota.unit else 1)
        if slot:
            quota.give_back(slot)
        quota.grants = {name: grant for name, grant in quota.grants.items() if grant.calls}
        if slot:
            return slot.start
        return quota.clock + _AGAIN if taking.next_start is None else taking.next_start


def is_finished(key: KeyCounter, page: int) -> bool:
    """Tell whether nothing is left to do of a page of which the key has handed out something."""
    flying = (held.ref.page for grant in key.quota.grants.values() for held in grant.messages)
    waiting = (entry.held.ref.page for entry in key.shelf.returned)
    return page not in {*flying, *waiting, *(number for number, _ in key.line.pages.first)}
