"""A quota in which each key has one of its own, below the tiers that all share.

Everything that a dispatcher decides is still one conditional write: the item holds the shared tiers, and names the
volumes in which the counters of the keys lie. What has been filed is sorted onto pages of the keys first, so that the
backlog of one is never in the way of another. A slot is then taken in the tiers of its key and in the shared ones, with
one start, and keys take turns.

Nothing of AWS is in here but the two things that it is lent: volumes to read, and a way to lay down pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from .calendar_window import HOUR
from .call import Verdict
from .counter import Counter
from .held import UNWEIGHED
from .key_counter import KeyCounter, is_finished
from .key_index import KeyIndex, VolumeFiles
from .key_plans import tier_name
from .key_sorting import Run, sort
from .key_turns import KeyTurns
from .keys import FIRST_NUMBER
from .pages import Page, page_content, page_name, page_of
from .reports import Taken
from .volumes import Entry, volume_of, written_at
from .weights import known_weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from .grants import Slot
    from .held import Ref
    from .key_plans import Limits
    from .reports import Report
    from .shelf import Library

SORTED_AT_ONCE = 2_000
"""Messages that are sorted in a turn."""


class KeyFiles(VolumeFiles, Protocol):
    """What a keyed counter is lent while it plans a write."""

    def page(self, key: tuple[int, int]) -> Page | None:
        """Read a page of a key."""
        ...

    def limits(self, number: int, next_ones: Iterable[int], tiers: Set[str]) -> Limits:
        """Read what the plan of a key says of these tiers, and those of the next ones with it."""
        ...


@dataclass
class Draft:
    """The pages that have to be in the table before the counter may be written, and those to be deleted afterwards."""

    pages: dict[str, str] = field(default_factory=dict)
    finished: set[tuple[int, int]] = field(default_factory=set)


class KeyedCounter(Counter):
    """The state of a quota with keys.

    Parameters
    ----------
    source
        Where the key stands in a message.
    key_tiers
        The tiers of each key.
    most
        Calls that a key may have in flight.

    Attributes
    ----------
    index
        Its keys.
    draft
        The pages that this write needs.
    """

    attribute = "keyed"

    def __init__(
        self,
        tiers: list[dict[str, Any]],
        longest_call: int,
        *,
        first: list[int],
        ordered: bool,
        source: str,
        key_tiers: list[dict[str, Any]],
        most: int,
    ) -> None:
        super().__init__(tiers, longest_call, first=first, ordered=ordered)
        self.source = source
        self.key_tiers = key_tiers
        self.most = most
        self.index = KeyIndex()
        self.draft = Draft()
        self._files: KeyFiles | None = None
        self._most_ahead = 0
        self._shared_next: int | None = None
        self._left = False
        self._sorted: dict[tuple[int, int], Page] = {}

    def lend(self, files: KeyFiles, most_ahead: int) -> None:
        """Let it read what it needs, and take so many slots at most that start later."""
        self._files, self._most_ahead = files, most_ahead
        self.index.lend(files)

    def _state(self) -> dict[str, Any]:
        index = {str(volume): list(entry) for volume, entry in self.index.named.items()}
        keys = {"source": self.source, "tiers": self.key_tiers, "most": self.most, "volumes": index}
        return {**super()._state(), "keys": keys}

    def _restore(self, state: dict[str, Any]) -> None:
        """Take over what `_state` returned, of it or of a counter without keys."""
        super()._restore(state)
        if keys := state.get("keys"):
            self.source, self.key_tiers, self.most = keys["source"], keys["tiers"], keys["most"]
            self.index.named = {int(volume): (name, ready) for volume, (name, ready) in keys["volumes"].items()}

    def holds(self, tiers: list[dict[str, Any]], key_tiers: list[dict[str, Any]]) -> bool:
        """Tell whether it goes by these tiers. Where there are no keys any more, their last tiers go on."""
        return super().holds(tiers, key_tiers) and key_tiers in ([], self.key_tiers)

    def adopt_keys(self, source: str, tiers: list[dict[str, Any]], most: int) -> None:
        """Go on with other tiers for each key, or another key."""
        self.source, self.key_tiers, self.most = source, tiers, most

    def report(self, report: Report) -> None:
        """Take in what came of a call: its key hears of signals and failures, and all of a function that is away."""
        above = report.slot.above
        if above is None:
            super().report(report)
            return
        if report.verdict is Verdict.UNKNOWN:
            return
        if above.grant in self.quota.grants:
            self._release(replace(report, slot=above, told=()))
        if report.verdict is Verdict.REFUSED:
            self._heed(replace(report, slot=above))
        elif report.verdict is not Verdict.NOT_STARTED and above.start >= self.away_since:
            self.away = 0
        key = self.key(report.held.ref.lane)
        self.index.touch(report.held.ref.lane)
        before = key.shelf.settled
        refused = report.verdict is Verdict.REFUSED
        key.blocked_until = 0
        key.report(replace(report, verdict=Verdict.NOT_STARTED) if refused else report)
        self.shelf.settled += key.shelf.settled - before
        periods = {tier["period"] for tier in key.tiers}
        if report.verdict is Verdict.QUOTA_SPENT and report.milliseconds not in periods:
            self.quota.spend(report.milliseconds)
        if is_finished(key, report.held.ref.page):
            self.draft.finished.add(report.held.ref[:2])

    def begun(self, slot: Slot, ref: Ref, at: int) -> None:
        """Report when a call has begun."""
        super().begun(slot.above or slot, ref, at)
        if slot.above is not None:
            self.key(ref.lane).quota.begun(slot, at)
            self.index.touch(ref.lane)

    def take(self, owner: str, room: int, ahead: int, tails: Mapping[int, int], library: Library) -> Taken:
        """Take slots and messages for them, in turn for all keys that wait."""
        clock = self.quota.clock
        self.shelf.fill_holes(clock, library)
        if room > 0:
            self._sort(tails, library)
        if self.away:
            room = min(room, 1 - self.quota.in_flight)
        self._seal()
        turns = KeyTurns(self, owner)
        calls = turns.take(room, ahead, self._most_ahead) if room > 0 else []
        self._seal()
        ready, self._left = self.index.ready(), bool(self.shelf.unopened(tails))
        self._shared_next, exhausted = turns.shared_next, turns.exhausted
        later = turns.shared_next if exhausted else ready
        if self._left or self.quota.in_flight:  # What ends may let another start; that is looked at in the next turn.
            later = clock if exhausted and not calls else None
        return Taken(calls, self._left or ready is not None, later, None if exhausted else ready)

    def wanted(self, room: int) -> int:
        """Return how many messages are to be sorted, when there is room for so many calls."""
        return SORTED_AT_ONCE if room else 0

    def earliest(self, taken: Taken) -> int | None:
        """When the shared tiers let a call start; what a key waits for holds up nobody else."""
        del taken
        return self._shared_next

    def next_event(self, *, more: bool, next_start: int | None) -> int | None:
        """When there may be something to do again."""
        del more
        event = super().next_event(more=False, next_start=None)
        events = [] if event is None else [event]
        if self._left or any(entry.due <= self.quota.clock for entry in self.shelf.returned):
            events.append(self.quota.clock)
        if (ready := self.index.ready()) is not None:
            events.append(max(ready, next_start or 0, self._shared_next or 0))
        return min(events, default=None)

    def abandoned(self, name: str) -> bool:
        """Tell whether nobody will ever look at an item of the table again."""
        written = written_at(name)
        if written is not None:  # A younger one may be about to be named.
            return written < self.quota.wall - HOUR and not any(name.startswith(known) for known in self.index.names())
        found = page_of(name)
        if found is None or found[0] < FIRST_NUMBER:
            return super().abandoned(name)
        lane, number = found
        run = Run.of(number)
        if self.shelf.lane(run.lane).page <= run.page or run[:2] in self.shelf.holes:
            return False  # It is being sorted, perhaps by another.
        if any(entry.held.ref[:2] == run[:2] for entry in self.shelf.returned):
            return False
        key = self.key(lane)
        return number not in key.line.pages and is_finished(key, number)

    @property
    def unit(self) -> str:
        """Where the weights stand that its tiers, or those of a key, count."""
        return self.quota.unit or next((tier["weight"] for tier in self.key_tiers if tier.get("weight")), "")

    def key(self, number: int) -> KeyCounter:
        """Return the counter of a key."""
        return self.index.key(number, lambda entry: self._made(number, entry))

    def key_on_plan(self, number: int, next_ones: Iterable[int]) -> KeyCounter:
        """Return the counter of a key that is about to be served, with the tiers of its plan; `next_ones` follow it."""
        key = self.key(number)
        limits = self._files.limits(number, next_ones, self._tier_names()) if self._files else {}
        if limits != key.limits:
            key.limits = limits
            key.keep_to(self.key_tiers)
            self.index.touch(number)
        return key

    def _tier_names(self) -> Set[str]:
        return {tier_name(tier) for tier in self.key_tiers}

    def stored(self, number: int, entry: Entry) -> KeyCounter:
        """Return the counter of a key for who only looks at it."""
        return self._made(number, entry)[0]

    def _made(self, number: int, entry: Entry | None) -> tuple[KeyCounter, bool]:
        key = KeyCounter(number, self.key_tiers, self.quota.longest_call, self.most)
        if entry:
            key.load(entry.text)
            key.served = entry.served
        expired = key.follow(self.quota)
        return key, key.keep_to(self.key_tiers) or expired

    def _seal(self) -> None:
        self.index.seal(self.quota.clock, self.weigh)

    # From the lanes to the keys

    def _sort(self, tails: Mapping[int, int], library: Library) -> None:
        """Let what was filed wait with its keys."""
        picks = self.shelf.pick(SORTED_AT_ONCE, self.quota.clock, tails, library, (), most_again=SORTED_AT_ONCE)
        found = sort(picks, lambda place: library.get(place) or self._page(place), self.source)
        self.shelf.settled += len(picks) - sum(len(page) for _, _, page in found)  # Pages that are gone were done.
        self.index.load({volume_of(key) for key, _, _ in found})
        for key, number, page in found:
            self._sorted[key, number] = page
            self.draft.pages[page_name((key, number))] = page_content(page.records, page.failed)
            self.key(key).line.pages.add(number, len(page))
            self.index.touch(key)

    def weigh(self, ref: Ref) -> int:
        """Return the weight of a message that waits with its key."""
        if not self.unit:
            return 1
        page = self._sorted.get(ref[:2]) or self._page(ref[:2])
        return known_weight(page.records[ref.index], self.unit) if page else UNWEIGHED

    def _page(self, place: tuple[int, int]) -> Page | None:
        return self._files.page(place) if self._files else None
