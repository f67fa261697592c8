"""A quota in which each key has one of its own, below the tiers that all share.

Everything that a dispatcher decides is still one conditional write: the item holds the shared tiers, and names the
volumes in which the counters of the keys lie. What has been filed is sorted onto pages of the keys first, so that the
backlog of one is never in the way of another. A slot is then taken in the tiers of its key and in the shared ones, with
one start, and keys take turns.

Nothing of AWS is in here but the two things that it is lent: volumes to read, and a way to lay down pages.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol

from .calendar_window import HOUR
from .call import Verdict
from .counter import Counter
from .held import UNWEIGHED
from .key_counter import KeyCounter, is_finished
from .keys import FIRST_NUMBER, number_of
from .pages import Page, page_content, page_name, page_of
from .reports import Taken
from .taking import Taking
from .volumes import Entry, Volume, new_name, volume_of, written_at
from .weights import HEAVIEST, charged, known_weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .grants import Slot
    from .held import Held, Ref
    from .reports import Report
    from .shelf import Library

SORTED_AT_ONCE = 2_000
"""Messages that are sorted in a turn."""
_TRIES = 4
"""Of a start that suits the tiers of a key and the shared ones."""
_LANES, _MESSAGES = 1 << 10, 1 << 12
"""More than there are lanes, and messages of a page."""


class KeyFiles(Protocol):
    """What a keyed counter is lent while it plans a write."""

    def volumes(self, names: Iterable[str]) -> dict[str, Volume]:
        """Read volumes by name."""
        ...

    def page(self, key: tuple[int, int]) -> Page | None:
        """Read a page of a key."""
        ...


@dataclass
class Draft:
    """What has to be in the table before the counter may be written, and what may be deleted afterwards."""

    pages: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
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
        By volume: its name, and when the first of its keys may have something to do.
    draft
        What this write needs.
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
        self.index: dict[int, tuple[str, int | None]] = {}
        self.draft = Draft()
        self._files: KeyFiles | None = None
        self._most_ahead = 0
        self._volumes: dict[int, Volume] = {}
        self._changed: set[int] = set()
        self._keys: dict[int, KeyCounter] = {}
        self._dirty: set[int] = set()
        self._shared_next: int | None = None
        self._exhausted = False
        self._left = False
        self._served = 0
        self._sorted: dict[tuple[int, int], Page] = {}

    def lend(self, files: KeyFiles, most_ahead: int) -> None:
        """Let it read what it needs, and take so many slots at most that start later."""
        self._files, self._most_ahead = files, most_ahead

    def dump(self) -> str:
        """Write the state as JSON."""
        state = json.loads(super().dump())
        index = {str(volume): list(entry) for volume, entry in self.index.items()}
        state["keys"] = {"source": self.source, "tiers": self.key_tiers, "most": self.most, "volumes": index}
        return json.dumps(state, separators=(",", ":"))

    def load(self, text: str) -> KeyedCounter:
        """Read what `dump` wrote, or a counter without keys."""
        super().load(text)
        keys = json.loads(text).get("keys")
        if keys:
            self.source, self.key_tiers, self.most = keys["source"], keys["tiers"], keys["most"]
            self.index = {int(volume): (name, ready) for volume, (name, ready) in keys["volumes"].items()}
        return self

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
        key = self._key(report.held.ref.lane)
        self._dirty.add(report.held.ref.lane)
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
            self._key(ref.lane).quota.begun(slot, at)
            self._dirty.add(ref.lane)

    def take(self, owner: str, room: int, ahead: int, tails: Mapping[int, int], library: Library) -> Taken:
        """Take slots and messages for them, in turn for all keys that wait."""
        clock = self.quota.clock
        self.shelf.fill_holes(clock, library)
        self._shared_next, self._exhausted = None, False
        if room > 0:
            self._sort(tails, library)
        if self.away:
            room = min(room, 1 - self.quota.in_flight)
        self._seal()
        calls = self._serve(owner, room, ahead) if room > 0 else []
        self._seal()
        calls.sort(key=lambda call: call[0].start)
        ready, self._left = self._ready(), bool(self.shelf.unopened(tails))
        later = self._shared_next if self._exhausted else ready
        if self._left or self.quota.in_flight:  # What ends may let another start; that is looked at in the next turn.
            later = clock if self._exhausted and not calls else None
        return Taken(calls, self._left or ready is not None, later, None if self._exhausted else ready)

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
        if (ready := self._ready()) is not None:
            events.append(max(ready, next_start or 0, self._shared_next or 0))
        return min(events, default=None)

    def abandoned(self, name: str) -> bool:
        """Tell whether nobody will ever look at an item of the table again."""
        written = written_at(name)
        if written is not None:  # A younger one may be about to be named.
            return written < self.quota.wall - HOUR and not any(name.startswith(known) for known in self.names())
        found = page_of(name)
        if found is None or found[0] < FIRST_NUMBER:
            return super().abandoned(name)
        lane, number = found
        page, of = number // _MESSAGES // _MESSAGES // _LANES, number // _MESSAGES // _MESSAGES % _LANES
        if self.shelf.lane(of).page <= page or (of, page) in self.shelf.holes:
            return False  # It is being sorted, perhaps by another.
        if any(entry.held.ref[:2] == (of, page) for entry in self.shelf.returned):
            return False
        return is_finished(self._key(lane), number)

    def write_down(self) -> None:
        """Name the volumes that have changed, in the draft and in the index."""
        for volume in self._changed:
            entries = self._volumes[volume]
            before = self.index.pop(volume, None)
            if before and before[0]:
                self.draft.replaced.add(before[0])
            if entries:
                name = new_name(volume, self.quota.wall)
                self.draft.volumes[name] = entries
                self.index[volume] = (name, _first_ready(entries))
        self._changed = set()

    def names(self) -> set[str]:
        """Return the volumes that it names."""
        return {name for name, _ in self.index.values()}

    @property
    def unit(self) -> str:
        """Where the weights stand that its tiers, or those of a key, count."""
        return self.quota.unit or next((tier["weight"] for tier in self.key_tiers if tier.get("weight")), "")

    # Keys and their volumes

    def _load(self, volumes: Iterable[int]) -> None:
        assert self._files is not None, "it has volumes to read"  # noqa: S101
        wanted = {self.index[volume][0]: volume for volume in volumes if volume in self.index}
        wanted = {name: volume for name, volume in wanted.items() if volume not in self._volumes}
        for name, entries in self._files.volumes(wanted).items() if wanted else ():
            self._volumes[wanted[name]] = entries

    def _key(self, number: int) -> KeyCounter:
        if number not in self._keys:
            volume = volume_of(number)
            self._load([volume])
            key = KeyCounter(number, self.key_tiers, self.quota.longest_call, self.most)
            if entry := self._volumes.get(volume, {}).get(number):
                key.load(entry.text)
                key.served = entry.served
            if key.follow(self.quota):
                self._dirty.add(number)
            if key.tiers != self.key_tiers:
                key.adopt(self.key_tiers)
                self._dirty.add(number)
            self._keys[number] = key
        return self._keys[number]

    def _seal(self) -> None:
        """Bring the volumes up to date with the keys that were looked at."""
        clock = self.quota.clock
        for number, key in self._keys.items():
            volume = volume_of(number)
            entries = self._volumes.setdefault(volume, {})
            if number in self._dirty:
                if volume not in self._changed:
                    self._changed.add(volume)
                    entries = {
                        other: entry
                        for other, entry in entries.items()
                        if entry.forget is None or entry.forget > clock or other in self._keys
                    }
                    self._volumes[volume] = entries
                entry = Entry(key.ready(self._weigh), key.served, key.forget_at(), key.dump())
                if entry.forget is not None and entry.forget <= clock:
                    entries.pop(number, None)
                else:
                    entries[number] = entry
            elif number in entries:
                # Found out by looking closer at what stands there: it is as true for whoever reads the same.
                entries[number] = entries[number]._replace(ready=key.ready(self._weigh))
            if volume in self.index:
                self.index[volume] = (self.index[volume][0], _first_ready(entries))
            elif entries:
                self.index[volume] = ("", _first_ready(entries))

    def _ready(self) -> int | None:
        return min((ready for _, ready in self.index.values() if ready is not None), default=None)

    # From the lanes to the keys

    def _sort(self, tails: Mapping[int, int], library: Library) -> None:
        """Let what was filed wait with its keys. Pages of a key are named for what they hold, whoever sorts it."""
        groups: dict[tuple[int, int], list[Held]] = {}
        for held in self.shelf.pick(SORTED_AT_ONCE, self.quota.clock, tails, library, (), most_again=SORTED_AT_ONCE):
            groups.setdefault(held.ref[:2], []).append(held)
        found: list[tuple[int, int, list[tuple[dict[str, Any], int]]]] = []
        for place, members in groups.items():
            page = library.get(place) or (self._files.page(place) if self._files else None)
            if page is None:
                self.shelf.settled += len(members)  # It is gone, since all of it was done.
                continue
            for run in _runs(sorted(members, key=lambda held: held.ref.index)):
                by_key: dict[int, list[tuple[dict[str, Any], int]]] = {}
                for held in run:
                    record = page.records[held.ref.index]
                    by_key.setdefault(number_of(record, self.source), []).append((record, held.failures))
                number = (place[1] * _LANES + place[0]) * _MESSAGES + run[0].ref.index
                number = number * _MESSAGES + len(run)
                found += [(key, number, messages) for key, messages in by_key.items()]
        self._load({volume_of(key) for key, _, _ in found})
        for key, number, messages in found:
            records, failed = [record for record, _ in messages], [failures for _, failures in messages]
            self._sorted[key, number] = Page(tuple(records), tuple(failed))
            self.draft.pages[page_name((key, number))] = page_content(records, failed)
            self._key(key).line.pages.append((number, len(messages)))
            self._dirty.add(key)

    # From the keys to the dispatcher

    def _serve(self, owner: str, room: int, ahead: int) -> list[tuple[Slot, Held]]:
        """Take calls that may start now, one for each key in turn, of those first that were served longest ago.

        Then those that may start soonest.
        """
        clock = self.quota.clock
        due = [volume for volume, (_, ready) in self.index.items() if ready is not None and ready <= clock + ahead]
        self._load(due)
        waiting = [
            (entry, number)
            for volume in due
            for number, entry in self._volumes[volume].items()
            if entry.ready is not None and entry.ready <= clock + ahead
        ]
        turn = deque(number for _, number in sorted((e.served, n) for e, n in waiting if (e.ready or 0) <= clock))
        soon = [(entry.ready or 0, number) for entry, number in waiting if (entry.ready or 0) > clock]
        calls: list[tuple[Slot, Held]] = []
        while turn and len(calls) < room and not self._exhausted:
            number = turn.popleft()
            key = self._key(number)
            if call := self._take_for(key, owner, 0, ahead):
                calls.append(call)
                turn.append(number)
            elif clock < key.blocked_until <= clock + ahead:
                soon.append((key.blocked_until, number))
        room = len(calls) + self._most_ahead
        heapify(soon)
        while soon and len(calls) < room and not self._exhausted:
            _, number = heappop(soon)
            if call := self._take_for(self._key(number), owner, ahead, ahead):
                calls.append(call)
                heappush(soon, (call[0].start, number))
        return calls

    def _take_for(self, key: KeyCounter, owner: str, ahead: int, shared: int) -> tuple[Slot, Held] | None:
        """Take a call of a key that starts within `ahead` as its own tiers have it, and within `shared` in all."""
        held = key.line.peek(self.quota.clock, self._weigh) if key.may_call() else None
        if held is None:
            return None
        windows = (*self.quota.windows, *key.quota.windows)
        most = min((window.limit for window in windows if window.weight), default=HEAVIEST)
        weight = charged(held.ref.weight, most) if self.unit else 1
        if self._holds_too_much(key, weight):
            return None
        slot = self._pair(key, owner, (ahead, shared), weight)
        if slot is None:
            return None
        slot = slot._replace(unit=self.unit, most=most)
        key.line.hand_out(held)
        key.quota.grants[slot.grant].messages.append(held)
        self._served += 1  # one after the other, though the clock stands still meanwhile
        key.served = self.quota.clock + self._served
        self._dirty.add(key.line.number)
        return slot, held

    def _holds_too_much(self, key: KeyCounter, weight: int) -> bool:
        """Tell whether calls of a key would hold more than half of what all share of weights, while they are slow."""
        most = min((window.limit // 2 for window in self.quota.rolling if window.weight), default=HEAVIEST)
        grants = [grant for grant in key.quota.grants.values() if grant.calls]
        if not grants or sum(grant.weight for grant in grants) + weight <= most:
            return False
        key.blocked_until = min(grant.until for grant in grants)  # or until one is reported
        return True

    def _pair(self, key: KeyCounter, owner: str, ahead: tuple[int, int], weight: int) -> Slot | None:
        """Take a slot of the key and one of the shared tiers, with one start."""
        after = 0
        for _ in range(_TRIES):
            taking = Taking(key.quota, owner, ahead[after > 0])
            slot = taking.next(weight, after=after)
            if slot is None:
                key.blocked_until = taking.next_start or 0
                return None
            shared = Taking(self.quota, owner, ahead[1])
            above = shared.next(weight, after=slot.start)
            if above is None:
                key.quota.give_back(slot)
                self._exhausted, self._shared_next = True, shared.next_start or self._first_expiry()
                return None
            if above.start == slot.start:
                return slot._replace(above=above)
            key.quota.give_back(slot)
            self.quota.give_back(above)
            after = above.start
        return None

    def _first_expiry(self) -> int:
        ends = [grant.until for grant in self.quota.grants.values() if grant.calls]
        return min(ends, default=self.quota.clock + 1_000)

    def _weigh(self, ref: Ref) -> int:
        if not self.unit:
            return 1
        page = self._sorted.get(ref[:2]) or (self._files.page(ref[:2]) if self._files else None)
        return known_weight(page.records[ref.index], self.unit) if page else UNWEIGHED


def _first_ready(entries: Volume) -> int | None:
    return min((entry.ready for entry in entries.values() if entry.ready is not None), default=None)


def _runs(members: list[Held]) -> list[list[Held]]:
    """Cut what lies on a page into runs of neighbours."""
    runs: list[list[Held]] = []
    for held in members:
        if runs and runs[-1][-1].ref.index + 1 == held.ref.index:
            runs[-1].append(held)
        else:
            runs.append([held])
    return runs
