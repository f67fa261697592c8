"""What a dispatcher writes next: who is awake after it, or which ring comes, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .store import Presence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .caller import Flight
    from .clocks import Frame
    from .counter import Counter
    from .reports import Taken

AHEAD = 1_000
"""Slots are taken up to so long before they start, in blocks."""
TURN = 500
"""Between two writes that take slots; `FULL_TURN` when most hands are free, or `MANY` are after all were taken."""
FULL_TURN = 100
MANY = 12
"""A write for so many messages costs little beside their pages."""
STAY = 1_500
"""For a longer rest the dispatcher leaves, and a ring with a delay starts the next one: that costs as much as to stay
awake for so long, within a factor of two."""
HEARTBEAT = 3_000
LEASE = 9_000
"""A dispatcher that died is followed by the next one after this long."""
GRACE = 30_000
"""A ring that is so late is no longer waited for."""
ELSEWHERE = 5_000
"""After so long the next one looks whether it has the tiers of the last deployment."""


@dataclass(frozen=True)
class Plan:
    """One attempt to write the counter.

    Attributes
    ----------
    presence
        Who is awake after it, or which ring comes.
    rest
        Milliseconds after which there may be something to do; None when nothing waits. Of one who stays: until the next
        turn.
    begun
        The calls of which it says when they began.
    reported
        How many reports it contains.
    """

    counter: Counter
    frame: Frame
    taken: Taken
    presence: Presence
    leaving: bool
    rest: int | None
    begun: Mapping[Flight, int] = field(default_factory=dict)
    reported: int = 0


@dataclass(frozen=True)
class Standing:
    """How a dispatcher stands before its write.

    Attributes
    ----------
    name, ring
        Its own, and the message id of the ring that it answers.
    presence, filed
        Of the counter's item, as it has seen it.
    busy, hands
        Calls that it has in hand or in the air, and how many it may have.
    superseded
        Another is awake in its place.
    stopping, outdated
        It takes nothing more; it has the tiers of an earlier deployment.
    """

    name: str
    ring: str
    presence: Presence
    filed: int
    busy: int
    hands: int
    superseded: bool
    stopping: bool
    outdated: bool

    def decide(self, counter: Counter, taken: Taken, wake: str) -> Plan:
        """Stay or leave, after what was taken; `wake` is the id of the ring that comes if it leaves."""
        frame, now = counter.quota.frame, counter.quota.frame.at
        awake = Presence(self.name, self.ring, now.wall + LEASE)
        idle = not self.busy and not taken.calls
        if self.superseded:
            return Plan(counter, frame, taken, self.presence, leaving=idle, rest=HEARTBEAT)
        if not idle:
            return Plan(counter, frame, taken, awake, leaving=False, rest=self._until_turn(frame, taken))
        if self.stopping:
            rest = ELSEWHERE if self.outdated else 0
        elif counter.migrating:
            return Plan(counter, frame, taken, awake, leaving=False, rest=HEARTBEAT)
        else:
            event = counter.next_event(more=taken.more, next_start=taken.next_start)
            if event is None:
                counter.shelf.settled = self.filed
                return Plan(counter, frame, taken, Presence(), leaving=True, rest=None)
            rest = event - frame.clock
            if rest <= STAY:
                rest -= AHEAD if event == taken.next_start else 0
                return Plan(counter, frame, taken, awake, leaving=False, rest=max(FULL_TURN, rest))
        due = now.wall + rest
        start = now.wall + (counter.earliest(taken) or frame.clock) - frame.clock
        resting = due if self.stopping else min(due, start)
        return Plan(counter, frame, taken, Presence("", wake, due + GRACE, resting), leaving=True, rest=rest)

    def _until_turn(self, frame: Frame, taken: Taken) -> int:
        if taken.next_start is not None:
            return max(TURN, taken.next_start - frame.clock - AHEAD)
        if taken.upcoming is not None:
            return max(FULL_TURN, min(TURN, taken.upcoming - frame.clock))
        return FULL_TURN if 2 * (self.busy + len(taken.calls)) <= self.hands else TURN
