"""The right to make one call, and what one taker holds of such rights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .held import Held, load_ref

if TYPE_CHECKING:
    from .calendar_window import CalendarWindow
    from .clocks import Frame
    from .rolling_window import RollingWindow


class Slot(NamedTuple):
    """The right to make one call."""

    grant: str
    start: int
    """Not before this instant of the quota's clock."""
    frame: Frame
    """How its taker reads that clock."""
    periods: dict[str, tuple[int, ...]]
    """What is charged to each calendar window, by its key."""
    weight: int = 1
    """What it takes of the tiers that count weights."""
    unit: str = ""
    """Where these weights stand in a message."""
    most: int = 1
    """The most that a message may weigh."""
    above: Slot | None = None
    """Of the quota that all keys share, where this one is of a key's quota."""

    @property
    def wall(self) -> int:
        """The start by the taker's own clock, Unix time."""
        return self.start + self.frame.at.wall - self.frame.clock

    def cost(self, window: RollingWindow | CalendarWindow, used: int | None = None) -> int:
        """Return what it counts in a tier, when its call has used so much weight in truth."""
        if not window.weight:
            return 1
        return self.weight if used is None or window.weight != self.unit else used


@dataclass
class Grant:
    """Slots that one taker holds and has not reported back, and the messages that they are for."""

    begun: int
    until: int
    calls: int = 0
    weight: int = 0
    periods: dict[str, dict[int, int]] = field(default_factory=dict)
    messages: list[Held] = field(default_factory=list)

    def cost(self, window: RollingWindow | CalendarWindow) -> int:
        """Return what it counts in a tier."""
        return self.weight if window.weight else self.calls

    def release(self, slot: Slot) -> None:
        """Let go of one of its slots."""
        self.calls -= 1
        self.weight -= slot.weight

    def dump(self) -> list[Any]:
        """Write it as JSON knows it; where each call weighs 1, as the release before does."""
        return [
            self.begun,
            self.until,
            self.calls,
            {key: list(charged.items()) for key, charged in self.periods.items()},
            [held.ref.dump(held.failures) for held in self.messages],
            *([self.weight] if self.weight != self.calls else []),
        ]

    @classmethod
    def load(cls, state: list[Any]) -> Grant:
        """Read what `dump` wrote."""
        begun, until, calls, periods, messages, *weight = state
        charged = {key: dict(map(tuple, pairs)) for key, pairs in periods.items()}
        held = [Held(ref, *failures) for ref, failures in (load_ref(message, 1) for message in messages)]
        return cls(begun, until, calls, weight[0] if weight else calls, charged, held)
