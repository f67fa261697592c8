"""What waits for its turn, in exact numbers: where each lane goes on, what comes back, what is still missing.

The messages themselves lie on pages (see `pages`), which the intake numbers and puts. Nothing of AWS is in here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .compact_json import without_empty
from .held import UNWEIGHED, Held, Ref, load_ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .pages import Page

    Library = Mapping[tuple[int, int], Page | None]
    """The pages that were read; None for one that was not there."""

HOLE = 60_000
"""A page that has a number and isn't there after so long (ms) will never come: its intake has ended long before."""
MOST_RETURNED = 500
"""Of so many messages that wait for another try, the rest is filed anew, at the end of the backlog."""
MOST_WAITING = 1_000
"""So many messages may wait for another try or, in order, for others of their group, before nothing behind them is
looked at: each is known one by one, and the table takes no item of 400 KB."""


class Returned(NamedTuple):
    """A message that waits for another try."""

    held: Held
    due: int
    """By the quota's clock."""


@dataclass
class Lane:
    """Where a lane goes on: the first page, and the first message on it, that were not handed out."""

    page: int = 1
    index: int = 0


@dataclass
class Shelf:
    """Everything that waits.

    Attributes
    ----------
    first
        The lanes that go before all others, in this order.
    ordered
        Of each group one message at a time, in order.
    returned, parked, holes
        Messages to be tried again; in order: those that wait for an earlier one of their group; pages that have a
        number and were not there, with the instant at which they are given up.
    opened
        Pages from which something was handed out, and that may still be there.
    settled
        Messages done or buried, ever.
    """

    first: list[int]
    ordered: bool
    lanes: dict[int, Lane] = field(default_factory=dict)
    returned: list[Returned] = field(default_factory=list)
    parked: list[Ref] = field(default_factory=list)
    holes: dict[tuple[int, int], int] = field(default_factory=dict)
    opened: set[tuple[int, int]] = field(default_factory=set)
    settled: int = 0
    turn: int = 0

    def lane(self, number: int) -> Lane:
        """Return where a lane goes on."""
        return self.lanes.setdefault(number, Lane())

    def wanted_pages(self, wanted: int, tails: Mapping[int, int], library: Library) -> list[tuple[int, int]]:
        """Return the pages to be read before so many messages can be picked."""
        # As they are picked: there may not be room for a page of each.
        return self._missing(self._going_first(tails), wanted, tails, library) or self._missing(
            self._taking_turns(tails, self.turn + 1), wanted, tails, library
        )

    def _missing(
        self, lanes: Iterable[int], wanted: int, tails: Mapping[int, int], library: Library
    ) -> list[tuple[int, int]]:
        missing: list[tuple[int, int]] = []
        for number in lanes:
            lane = self.lane(number)
            found = -lane.index
            for page in range(lane.page, tails[number] + 1):
                if found >= wanted:
                    break
                if (number, page) not in library:
                    missing.append((number, page))
                    break
                found += len(library[number, page] or ())
        return missing

    def fill_holes(self, clock: int, library: Library) -> None:
        """Take in pages that came late; give up those that will never come."""
        for key, until in list(self.holes.items()):
            page = library.get(key)
            if page:
                self.opened.add(key)
                found = [page.held(key, index) for index in range(len(page))]
                if self.ordered:  # Earlier ones of the same group may be waiting.
                    self.parked += [held.ref for held in found]
                    self.parked.sort(key=lambda ref: (ref.lane not in self.first, ref.page, ref.index))
                else:
                    self.returned += [Returned(held, 0) for held in found]
            # Not read this time, it may have come: nobody has looked since there was room for a call.
            if page or (until < clock and key in library):
                del self.holes[key]

    def pick(
        self,
        wanted: int,
        clock: int,
        tails: Mapping[int, int],
        library: Library,
        busy: Iterable[int],
        *,
        most_again: int | None = None,
    ) -> list[Held]:
        """Take messages off the shelf, some of them again.

        Parameters
        ----------
        busy
            The groups of which a message is in the air.
        most_again
            How many again while others have never been tried. Default: half of them.
        """
        groups = set(busy)
        due = self._due(clock, groups)
        again = due[: (wanted + 1) // 2 if most_again is None else most_again]
        fresh = self._fresh(wanted - len(again), clock, tails, library, groups)
        again += due[len(again) : wanted - len(fresh)]
        taken = {entry.held.ref for entry in again}
        self.returned = [entry for entry in self.returned if entry.held.ref not in taken]
        return [*(entry.held for entry in again), *fresh]

    def pending(self, clock: int, tails: Mapping[int, int], library: Library, busy: Iterable[int]) -> bool:
        """Tell whether anything could be picked now."""
        unopened = self.unopened(tails)
        if not self.returned and not self.parked and not unopened:
            return False
        if not self.ordered:
            if any(entry.due <= clock for entry in self.returned):
                return True
            if not unopened or any(key not in library or library[key] for key in unopened):
                return bool(unopened)
        trial = Shelf(self.first, self.ordered).load(self.dump())
        return bool(trial.pick(1, clock, tails, library, busy)) or any(
            key not in library for key in trial.wanted_pages(1, tails, library)
        )

    def unopened(self, tails: Mapping[int, int]) -> list[tuple[int, int]]:
        """Return the first page of each lane on which there may be messages that were not handed out."""
        return [(number, page) for number, tail in tails.items() if (page := self.lane(number).page) <= tail]

    def give_back(self, held: Held, due: int) -> None:
        """Let a message wait for another try."""
        self.returned.append(Returned(held, due))

    def put_back(self, held: Held) -> None:
        """Let a message that costs more than there is be the next one."""
        self.returned.insert(0, Returned(held, 0))

    def unweigh(self) -> None:
        """Forget all weights."""
        self.returned = [Returned(entry.held.unweighed(), entry.due) for entry in self.returned]
        self.parked = [Held(ref).unweighed().ref for ref in self.parked]

    def unweighed(self) -> list[tuple[int, int]]:
        """Return the pages of messages whose weight is not known."""
        refs = [*(entry.held.ref for entry in self.returned), *self.parked]
        return list(dict.fromkeys(ref[:2] for ref in refs if ref.weight == UNWEIGHED))

    def weigh(self, library: Library) -> None:
        """Read weights that are not known, where their pages were read."""
        self.returned = [Returned(_weighed(entry.held, library), entry.due) for entry in self.returned]
        self.parked = [_weighed(Held(ref), library).ref for ref in self.parked]

    def settle(self, ref: Ref) -> None:
        """Forget a message that was given back, and turned out to be done."""
        left = [entry for entry in self.returned if entry.held.ref[:3] != ref[:3]]
        self.settled += len(self.returned) - len(left)
        self.returned = left

    def finished(self, in_the_air: Iterable[Ref]) -> set[tuple[int, int]]:
        """Return the pages of which nothing is left to do."""
        used = {ref[:2] for ref in (*in_the_air, *self.parked, *(entry.held.ref for entry in self.returned))}
        return {key for key in self.opened if key not in used and self.lane(key[0]).page > key[1]}

    def abandoned(self, key: tuple[int, int]) -> bool:
        """Tell whether nobody will ever look at a page again, though it is there."""
        return self.lane(key[0]).page > key[1] and key not in self.opened and key not in self.holes

    def dump(self) -> dict[str, Any]:
        """Write the state as JSON knows it."""
        state = {
            "lanes": {str(number): [lane.page, lane.index] for number, lane in self.lanes.items()},
            "returned": [entry.held.ref.dump(entry.held.failures, entry.due) for entry in self.returned],
            "parked": [ref.dump() for ref in self.parked],
            "holes": [[*key, until] for key, until in self.holes.items()],
            "opened": sorted(list(key) for key in self.opened),
            "settled": self.settled,
            "turn": self.turn,
        }
        return without_empty(state)

    def load(self, state: dict[str, Any]) -> Shelf:
        """Read what `dump` wrote."""
        self.lanes = {int(number): Lane(*place) for number, place in state.get("lanes", {}).items()}
        returned = (load_ref(entry, 2) for entry in state.get("returned", []))
        self.returned = [Returned(Held(ref, failures), due) for ref, (failures, due) in returned]
        self.parked = [load_ref(ref)[0] for ref in state.get("parked", [])]
        self.holes = {(lane, page): until for lane, page, until in state.get("holes", [])}
        self.opened = {(lane, page) for lane, page in state.get("opened", [])}
        self.settled, self.turn = state.get("settled", 0), state.get("turn", 0)
        return self

    def _due(self, clock: int, groups: set[int]) -> list[Returned]:
        if not self.ordered:
            return [entry for entry in self.returned if entry.due <= clock]
        found = []
        for entry in self.returned:
            group = entry.held.ref.group
            if entry.due <= clock and group not in groups:
                found.append(entry)
            groups.add(group)
        return found

    def _fresh(
        self, wanted: int, clock: int, tails: Mapping[int, int], library: Library, groups: set[int]
    ) -> list[Held]:
        picks: list[Held] = []
        left: list[Ref] = []
        for ref in self.parked:
            if len(picks) < wanted and ref.group not in groups:
                picks.append(Held(ref))
            else:
                left.append(ref)
            groups.add(ref.group)
        self.parked = left
        for number in self._going_first(tails):
            lane = self._walk(number, clock, tails[number], library)
            picks += self._next(lane, wanted - len(picks), groups)
            if self.ordered and self.lane(number).page <= tails[number]:
                return picks  # What it still holds may be earlier ones of the groups of later lanes.
        self.turn += 1
        others = self._taking_turns(tails, self.turn)
        # Each lane in its turn gets its part, and what others leave over.
        while others and len(picks) < wanted:
            part = -(-(wanted - len(picks)) // len(others))
            had = len(picks)
            idle = []
            for number in others:
                lane = self._walk(number, clock, tails[number], library)
                found = self._next(lane, min(part, wanted - len(picks)), groups)
                picks += found
                if not found:
                    idle.append(number)
            others = [number for number in others if number not in idle]
            if len(picks) == had:
                break
        return picks

    def _going_first(self, tails: Mapping[int, int]) -> list[int]:
        return [number for number in self.first if number in tails]

    def _taking_turns(self, tails: Mapping[int, int], turn: int) -> list[int]:
        others = sorted(number for number in tails if number not in self.first)
        start = turn % len(others) if others else 0
        return others[start:] + others[:start]

    def _next(self, lane: Iterator[Held], wanted: int, groups: set[int]) -> list[Held]:
        picks: list[Held] = []
        for held in lane if wanted > 0 else ():
            group = held.ref.group
            if self.ordered and group in groups:
                self.parked.append(held.ref)
            else:
                picks.append(held)
            if self.ordered:
                groups.add(group)
            if len(picks) == wanted:
                break
        return picks

    def _walk(self, number: int, clock: int, tail: int, library: Library) -> Iterator[Held]:
        """Hand out a lane's messages one by one, as far as its pages were read."""
        lane = self.lane(number)
        while (
            lane.page <= tail
            and (number, lane.page) in library
            and len(self.parked) + len(self.returned) < MOST_WAITING
        ):
            key, index = (number, lane.page), lane.index
            page = library[key]
            lane.index += 1
            if page is None or lane.index >= len(page):
                lane.page, lane.index = lane.page + 1, 0
            if page is None:
                self.holes[key] = clock + HOLE
            elif index < len(page):
                self.opened.add(key)
                yield page.held(key, index)


def _weighed(held: Held, library: Library) -> Held:
    page = library.get(held.ref[:2]) if held.ref.weight == UNWEIGHED else None
    return held if page is None else Held(page.held(held.ref[:2], held.ref.index).ref, held.failures)
