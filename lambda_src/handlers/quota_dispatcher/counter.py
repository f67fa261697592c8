"""Everything that one conditional write moves together: rights, messages, and who has written last.

Nothing of AWS is in here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .call import Verdict
from .compact_json import dumps, without_empty
from .held import Held
from .pages import page_of
from .quota import Quota
from .reports import Report, Taken
from .shelf import Shelf
from .taking import Taking
from .tiers import window
from .weights import charged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from .clocks import Frame, Reading
    from .grants import Slot
    from .held import Ref
    from .shelf import Library

FIRST_PAUSE = 1_000
"""Milliseconds after which a provider or function that is away is tried again, with one call; then 2, 4 ... s."""
LONGEST_PAUSE = 900_000
DAY = 86_400_000
ACQUIRED = "acquired-"
"""Begins the name of a taker that calls the provider itself, and has no message."""
LOOK_AGAIN = 1_500
"""While such calls hold places, it is looked so often whether they have ended."""
VERSION = 2


class Counter:
    """The state of a quota and of what waits for it.

    Parameters
    ----------
    tiers
        As `Settings.tiers`.
    longest_call
        As for `Quota`.
    first, ordered
        As for `Shelf`.

    Attributes
    ----------
    writers
        The last write of each taker that may still ask whether it came through.
    swept
        When the last search for abandoned pages ended, by the quota's clock.
    migrating
        The queues of the release before may still hold messages.
    seen
        Of the messages filed, ever, those that the dispatcher which wrote last knew of.
    timed_by
        Whose write has set the clock, by its token; empty when the last write did.
    """

    attribute = "counter"
    """Of the item, which holds the state."""

    def __init__(self, tiers: list[dict[str, Any]], longest_call: int, *, first: list[int], ordered: bool) -> None:
        self.tiers = tiers
        self.quota = Quota([window(**tier) for tier in tiers], longest_call)
        self.shelf = Shelf(first, ordered)
        self.writers: dict[str, str] = {}
        self.away = 0
        self.away_since = 0
        self.swept = 0
        self.seen = 0
        self.migrating = False
        self.timed_by = ""

    def dump(self) -> str:
        """Write the state as JSON."""
        return dumps(self._state())

    def _state(self) -> dict[str, Any]:
        more = {
            "writers": self.writers,
            "swept": self.swept,
            "seen": self.seen,
            "migrating": self.migrating,
            "timed_by": self.timed_by,
        } | self._said_away()
        always = {"version": VERSION, "tiers": self.tiers, "quota": self.quota.dump(), "shelf": self.shelf.dump()}
        return always | without_empty(more)

    def _said_away(self) -> dict[str, Any]:
        return {"away": [self.away, self.away_since]} if self.away or self.away_since else {}

    def load(self, text: str) -> Self:
        """Read what `dump` wrote, with the tiers of then."""
        self._restore(json.loads(text))
        return self

    def _restore(self, state: dict[str, Any]) -> None:
        self.tiers = state["tiers"]
        self.quota = Quota([window(**tier) for tier in self.tiers], self.quota.longest_call).load(state["quota"])
        self.shelf.load(state["shelf"])
        self.writers = state.get("writers", {})
        self.away, self.away_since = state.get("away", (0, 0))
        self.swept = state.get("swept", 0)
        self.seen = state.get("seen", 0)
        self.migrating = state.get("migrating", False)
        self.timed_by = state.get("timed_by", "")

    def load_first_release(self, text: str) -> Counter:
        """Read the state of the release before: its grants are calls whose messages lie in queues."""
        state = json.loads(text)
        keys = list(state["calendar"])
        state["grants"] = {
            name: [begun, until, calls, dict(zip(keys, periods, strict=True)), []]
            for name, (begun, until, calls, periods) in state["grants"].items()
        }
        self.quota.load(state)
        self.migrating = True
        return self

    def holds(self, tiers: list[dict[str, Any]], key_tiers: list[dict[str, Any]]) -> bool:
        """Tell whether it goes by these tiers."""
        del key_tiers
        return tiers == self.tiers

    def adopt(self, tiers: list[dict[str, Any]]) -> None:
        """Go on with other tiers."""
        if tiers != self.tiers:
            self.tiers = tiers
            before = self.quota
            self.quota = Quota([window(**tier) for tier in tiers], before.longest_call).load(before.dump())
            self.quota.frame = before.frame
            if self.quota.unit != before.unit:
                self.shelf.unweigh()
                for grant in self.quota.grants.values():
                    grant.messages = [held.unweighed() for held in grant.messages]

    def advance(self, now: Reading, mine: Frame | None) -> None:
        """Let the clock catch up; messages of takers that have vanished wait for another try."""
        for held in self.quota.advance(now, mine):
            self.shelf.give_back(held, 0)

    def report(self, report: Report) -> None:
        """Take in what came of a call. A report that comes after its grant has expired changes no count."""
        grant = self.quota.grants.get(report.slot.grant)
        if report.verdict is Verdict.UNKNOWN:
            return  # It may still run: slot and message stay with the grant until it must have ended.
        held = next((held for held in grant.messages if held.place == report.held.place), None) if grant else None
        if grant is None or held is None:
            if report.settled:
                self.shelf.settle(report.held.ref)
            return
        grant.messages.remove(held)
        self._release(report)
        if report.settled:
            self.shelf.settled += 1
        elif report.verdict is Verdict.FAILED:
            failed = Held(held.ref, held.failures + 1)
            self.shelf.give_back(failed, self.quota.clock + report.milliseconds)
        else:
            self.shelf.give_back(held, 0)
        self._heed(report)

    def report_acquired(self, report: Report) -> None:
        """Take in what came of a call that no message asked for."""
        if report.slot.grant in self.quota.grants:
            self._release(report)
            self._heed(report)

    def begun(self, slot: Slot, ref: Ref, at: int) -> None:
        """Report, once, when the call of a slot, for a message, has begun (`Frame.high`)."""
        del ref
        self.quota.begun(slot, at)

    def take(self, owner: str, room: int, ahead: int, tails: Mapping[int, int], library: Library) -> Taken:
        """Take slots and messages for them."""
        self.shelf.fill_holes(self.quota.clock, library)
        if self.away:
            room = min(room, 1 - self.quota.in_flight)
        taking = Taking(self.quota, owner, ahead)
        calls = (self._weighed if self.quota.unit else self._alike)(taking, room, tails, library)
        more = self.shelf.pending(self.quota.clock, tails, library, self.groups())
        next_start = taking.next_start
        if next_start is None:
            next_start = min((grant.until for grant in self.quota.grants.values() if grant.calls), default=None)
        if next_start and any(name.startswith(ACQUIRED) for name in self.quota.grants):
            next_start = min(next_start, self.quota.clock + LOOK_AGAIN)
        return Taken(calls, more, None if taking.taken else next_start)

    def _alike(self, taking: Taking, room: int, tails: Mapping[int, int], library: Library) -> list[tuple[Slot, Held]]:
        """Take slots of one weight, and then messages for them."""
        slots: list[Slot] = []
        while len(slots) < room and (slot := taking.next()):
            slots.append(slot)
        picks = self.shelf.pick(len(slots), self.quota.clock, tails, library, self.groups())
        for slot in slots[len(picks) :]:
            self.quota.give_back(slot)
        return [self._hold(slot, held) for slot, held in zip(slots, picks, strict=False)]

    def _weighed(
        self, taking: Taking, room: int, tails: Mapping[int, int], library: Library
    ) -> list[tuple[Slot, Held]]:
        """Take messages one by one, and a slot for each: one that costs much is not overtaken by those behind it."""
        calls: list[tuple[Slot, Held]] = []
        while len(calls) < room:
            again = (len(calls) + 1) % 2
            picks = self.shelf.pick(1, self.quota.clock, tails, library, self.groups(), most_again=again)
            if not picks:
                break
            slot = taking.next(charged(picks[0].ref.weight, self.quota.heaviest))
            if slot is None:
                self.shelf.put_back(picks[0])
                break
            calls.append(self._hold(slot, picks[0]))
        return calls

    def _hold(self, slot: Slot, held: Held) -> tuple[Slot, Held]:
        self.quota.grants[slot.grant].messages.append(held)
        return slot, held

    def groups(self) -> set[int]:
        """Return the groups of which a message is in the air."""
        return {held.ref.group for grant in self.quota.grants.values() for held in grant.messages}

    def finished(self) -> set[tuple[int, int]]:
        """Return the pages of which nothing is left to do."""
        return self.shelf.finished(held.ref for grant in self.quota.grants.values() for held in grant.messages)

    def wanted(self, room: int) -> int:
        """Return for how many messages pages are to be read, when there is room for so many calls."""
        return room

    def earliest(self, taken: Taken) -> int | None:
        """When any call may start, whatever comes; None: now."""
        return taken.next_start

    def abandoned(self, name: str) -> bool:
        """Tell whether nobody will ever look at an item of the table again, though it is there."""
        page = page_of(name)
        return page is not None and self.shelf.abandoned(page)

    def next_event(self, *, more: bool, next_start: int | None) -> int | None:
        """When there may be something to do again (by the quota's clock), for one who has nothing in hand.

        Returns
        -------
        int or None
            None when nothing waits.
        """
        events = [entry.due for entry in self.shelf.returned if entry.due > self.quota.clock]
        events += [grant.until for grant in self.quota.grants.values() if grant.calls and (grant.messages or more)]
        events += [self.quota.clock + 1_000 for _ in self.shelf.holes]
        if more:
            events.append(self.quota.clock if next_start is None else next_start)
        return min(events, default=None)

    @property
    def _longest_pause(self) -> int:
        """No word of a provider holds for longer."""
        return max(DAY, *(tier["period"] for tier in self.tiers))

    def _release(self, report: Report) -> None:
        if report.verdict in (Verdict.NOT_STARTED, Verdict.REFUSED):
            self.quota.give_back(report.slot, report.begun)
        else:
            self.quota.ended(report.slot, report.at, report.begun, report.used)
            for told in report.told:
                self.quota.hear(told, report.slot, report.at, self._longest_pause)

    def _heed(self, report: Report) -> None:
        """Ask a provider or a function that is away ever less often, with one call, until one gets through."""
        probe = report.slot.start >= self.away_since  # others were on their way already, and say the same once more
        if report.verdict in (Verdict.RETRY_AFTER, Verdict.REFUSED, Verdict.QUOTA_SPENT):
            self.away += probe
            clock = self.quota.clock
            if report.verdict is Verdict.QUOTA_SPENT:
                self.quota.spend(report.milliseconds)
            else:
                patience = min(LONGEST_PAUSE, FIRST_PAUSE << min(20, max(0, self.away - 1)))
                self.quota.pause(clock + min(self._longest_pause, max(report.milliseconds, patience)))
            self.away_since = max(self.quota.paused_until, clock + FIRST_PAUSE)
        elif report.verdict in (Verdict.DONE, Verdict.FAILED) and probe:
            self.away = 0
