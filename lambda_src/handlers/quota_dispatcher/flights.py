"""The calls that a dispatcher has in the air, and when they began, which matters where the provider counts arrivals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .call import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .caller import Flight
    from .counter import Counter
    from .grants import Slot
    from .held import Held
    from .reports import Report


MADE = (Verdict.DONE, Verdict.FAILED)


class Flights:
    """Calls by message and grant.

    Parameters
    ----------
    begun
        When each began, as the caller notes it on its threads.
    """

    def __init__(self, begun: dict[Flight, int]) -> None:
        self._begun = begun
        self._slots: dict[Flight, Slot] = {}
        self._said: dict[Flight, int] = {}
        self._made = 0
        self._made_before: dict[Flight, int] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, slot: Slot, held: Held) -> None:
        """Let one begin soon."""
        self._slots[held.ref, slot.grant] = slot
        self._made_before[held.ref, slot.grant] = self._made

    def unsaid(self) -> dict[Flight, int]:
        """Return which have begun and when, where no write has said so."""
        begun = self._begun
        return {flight: begun[flight] for flight in self._slots if flight in begun and flight not in self._said}

    def say(self, counter: Counter) -> dict[Flight, int]:
        """Tell the counter what `unsaid` returns."""
        begun = self.unsaid()
        for flight, at in begun.items():
            counter.begun(self._slots[flight], flight[0], at)
        return begun

    def said(self, begun: Mapping[Flight, int]) -> None:
        """Take note that a write with it has come through."""
        self._said |= begun

    def end(self, report: Report) -> tuple[Report, int]:
        """Remove one; return its report, complete, and how many calls were made beside it at some instant."""
        flight = (report.held.ref, report.slot.grant)
        del self._slots[flight]
        self._begun.pop(flight, None)
        beside = len(self._slots) + self._made - self._made_before.pop(flight)
        self._made += report.verdict in MADE
        return replace(report, begun=self._said.pop(flight, None)), beside
