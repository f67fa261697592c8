"""Messages of one time as an amount, and those that come again later."""

from __future__ import annotations

from dataclasses import dataclass

from .by_step import ByStep


@dataclass
class Cohort:
    """Messages of one time.

    Attributes
    ----------
    arrived
        When they were sent.
    receives
        How often they have been received.
    messages, batches
        How many, in how many batches: those that come again do so together.
    received
        When a poller received them.
    bad
        The part of them that fails each time.
    """

    arrived: float
    receives: int
    messages: float
    batches: float
    received: float = 0.0
    bad: float = 0.0


class Hidden:
    """Messages that were received, and come again in a later step.

    Attributes
    ----------
    total
        How many.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self._by_step: ByStep[list[Cohort]] = ByStep(list)

    def put(self, cohort: Cohort, step: int) -> None:
        """Let some come again in a step, together with those that have been received as often."""
        if cohort.messages <= 0:
            return
        hidden = self._by_step.at(step)
        alike = next((each for each in hidden if each.receives == cohort.receives), None)
        if alike is None:
            hidden.append(cohort)
        else:
            both = alike.messages + cohort.messages
            alike.bad = (alike.bad * alike.messages + cohort.bad * cohort.messages) / both
            alike.messages += cohort.messages
            alike.batches += cohort.batches
        self.total += cohort.messages

    def take(self, step: int) -> list[Cohort]:
        """Take those that come again in a step."""
        found = self._by_step.take(step)
        self.total -= sum(cohort.messages for cohort in found)
        return found

    def next_after(self, step: int) -> int:
        """Give the next step in which some come again; that step itself where none do."""
        found = self._by_step.next_after(step)
        return step if found is None else found
