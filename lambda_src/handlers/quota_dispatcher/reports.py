"""What a write of the counter takes in, and what it has taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .call import Verdict
    from .grants import Slot
    from .held import Held
    from .learned import Told


@dataclass(frozen=True)
class Report:
    """What came of one call.

    Attributes
    ----------
    at
        When it had ended for certain, by the quota's clock (`Frame.high`).
    milliseconds
        Of a signal (the pause, or the period that is spent), or until the next try of a failed message.
    settled
        The message needs no other try.
    begun
        What an earlier write has said of the call's beginning.
    used
        What the call has weighed in truth; None when it weighed what its slot does.
    told
        What the provider has said of its limits.
    """

    slot: Slot
    held: Held
    at: int
    verdict: Verdict
    milliseconds: int = 0
    settled: bool = False
    begun: int | None = None
    used: int | None = None
    told: tuple[Told, ...] = ()


@dataclass(frozen=True)
class Taken:
    """What a write has taken.

    Attributes
    ----------
    calls
        Slots, in the order of their starts, each with its message.
    more
        Another message could be picked now.
    next_start
        When the next slot starts, or may be known to; None when the tiers hold nothing up.
    upcoming
        When another call may start, if there is a hand for it then; None when that is not told.
    """

    calls: list[tuple[Slot, Held]]
    more: bool
    next_start: int | None
    upcoming: int | None = None
