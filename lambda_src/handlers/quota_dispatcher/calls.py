"""The calls of a dispatcher: in hand, in the air, and ended but not yet reported."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from .call import Verdict
from .flights import MADE, Flights
from .reports import Report

if TYPE_CHECKING:
    from .caller import Caller
    from .grants import Slot
    from .hands import Hands
    from .held import Held
    from .host import Host
    from .metrics import Metrics

SIGNALS = (Verdict.RETRY_AFTER, Verdict.QUOTA_SPENT, Verdict.REFUSED)


class Calls:
    """What a dispatcher has taken, until it is reported.

    Parameters
    ----------
    hands, host, caller, metrics
        Of the dispatcher.

    Attributes
    ----------
    hand
        Slots whose start is to come, each with its message, in order.
    flights
        Calls in the air.
    reports
        What came of those that have ended.
    """

    def __init__(self, hands: Hands, host: Host, caller: Caller, metrics: Metrics) -> None:
        self._hands = hands
        self._host = host
        self._caller = caller
        self._metrics = metrics
        self.hand: deque[tuple[Slot, Held]] = deque()
        self.flights = Flights(caller.begun)
        self.reports: list[Report] = []

    @property
    def busy(self) -> int:
        """How many are in hand or in the air."""
        return len(self.flights) + len(self.hand)

    @property
    def signalled(self) -> bool:
        """Whether a report is to be written at once, since nothing more may start."""
        return any(report.verdict in SIGNALS for report in self.reports)

    def hands(self) -> int:
        """Return how many there may be."""
        return self._hands.count(self._host.reading().monotonic)

    def needing_hands(self, within: int) -> int:
        """Count those in the air, and those in hand that start within so long (ms)."""
        now = self._host.reading()
        return len(self.flights) + sum(slot.frame.low(now) + within >= slot.start for slot, _ in self.hand)

    def start(self) -> None:
        """Start what is due, as far as there are hands."""
        while self.hand:
            now = self._host.reading()
            slot, held = self.hand[0]
            if slot.frame.low(now) < slot.start or len(self.flights) >= self._hands.count(now.monotonic):
                break
            self.hand.popleft()
            self.flights.add(slot, held)
            self._host.submit(lambda slot=slot, held=held: self._caller.call(slot, held))

    def until_start(self) -> int | None:
        """Milliseconds until the next one starts; None when there is none, or no hand for it."""
        now = self._host.reading()
        if not self.hand or len(self.flights) >= self._hands.count(now.monotonic):
            return None
        slot = self.hand[0][0]
        return slot.start - slot.frame.low(now)

    def give_up_late(self) -> None:
        """Give back what it is too late for."""
        while self.hand and self._caller.late(self.hand[0][0]):
            self._not_started(*self.hand.popleft())

    def give_up(self, key: int | None = None) -> None:
        """Give back all that has not started, or what is of one key."""
        kept = [(slot, held) for slot, held in self.hand if key is not None and held.ref.lane != key]
        for slot, held in self.hand:
            if key is None or held.ref.lane == key:
                self._not_started(slot, held)
        self.hand = deque(kept)

    def collect(self, milliseconds: int) -> None:
        """Take in what has ended, waiting for the first."""
        while (report := self._host.result(milliseconds)) is not None:
            milliseconds = 0
            report, beside = self.flights.end(report)
            if report.verdict is Verdict.REFUSED and self._hands.refused(beside, self._host.reading().monotonic):
                report = replace(report, verdict=Verdict.NOT_STARTED)
            self.reports.append(report)
            if report.verdict in (*MADE, *SIGNALS):
                self._metrics.count("Calls")
            if report.verdict is Verdict.FAILED:
                self._metrics.count("Failures")
            if report.verdict in SIGNALS:
                self._metrics.count("Signals")
                of_key = report.slot.above is not None and report.verdict is not Verdict.REFUSED
                self.give_up(report.held.ref.lane if of_key else None)

    def _not_started(self, slot: Slot, held: Held) -> None:
        self.reports.append(Report(slot, held, slot.start, Verdict.NOT_STARTED))
