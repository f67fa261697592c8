"""A tier that starts anew by the provider's calendar: "5,000 calls a day, reset at midnight in Los Angeles"."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

DAY = 86_400_000
WEEK = 7 * DAY
MONTH = 30 * DAY
"""The period that stands for a calendar month, however long that one is."""


class CalendarWindow:
    """The calls of one calendar tier, by the period in which the provider may have counted them.

    A call whose interval touches two periods is charged to both until its end is known.

    Parameters
    ----------
    limit
        Calls per period.
    period
        Milliseconds: a part of a day, a day, a week (from Monday), or `MONTH`.
    zone
        Whose midnight it is.
    name
        The zone's name, which identifies the tier in the stored state.
    """

    def __init__(self, limit: int, period: int, zone: tzinfo, name: str = "UTC") -> None:
        self.limit = limit
        self.period = period
        self.zone = zone
        self.key = f"calendar:{period}:{name}"
        self.spent: dict[int, int] = {}
        self._span = (0, 0)

    def span(self, wall: int) -> tuple[int, int]:
        """Return start and end (Unix milliseconds, end excluded) of the period that contains ``wall``."""
        if not self._span[0] <= wall < self._span[1]:
            self._span = self._find(wall)
        return self._span

    def periods(self, first: int, last: int) -> tuple[int, ...]:
        """Return the starts of all periods that touch the interval from ``first`` to ``last``."""
        start, end = self.span(first)
        found = [start]
        while end <= last:
            start, end = self.span(end)
            found.append(start)
        return tuple(found)

    def forget(self, wall: int) -> None:
        """Drop the periods before the one that contains ``wall``."""
        current = self.span(wall)[0]
        self.spent = {start: calls for start, calls in self.spent.items() if start >= current}

    def charge(self, period: int, calls: int = 1) -> None:
        """Count calls for good."""
        self.spent[period] = self.spent.get(period, 0) + calls

    def dump(self) -> list[list[int]]:
        """Write as [start, calls] per period."""
        return [[start, calls] for start, calls in sorted(self.spent.items())]

    def load(self, pairs: list[list[int]]) -> None:
        """Read what `dump` wrote."""
        self.spent = {period: calls for period, calls in pairs}  # noqa: C416 -- lists from JSON, not pairs

    def _find(self, wall: int) -> tuple[int, int]:
        # Local midnights are looked up one by one: with daylight saving time a day has 23, 24 or 25 hours.
        local = datetime.fromtimestamp(wall / 1000, self.zone)
        midnight = datetime(local.year, local.month, local.day, tzinfo=self.zone)
        if self.period == MONTH:
            first = midnight.replace(day=1)
            return _unix(first), _unix((first + timedelta(days=32)).replace(day=1))
        if self.period == WEEK:
            monday = midnight - timedelta(days=midnight.weekday())
            return _unix(monday), _unix(monday + timedelta(days=7))
        start, end = _unix(midnight), _unix(midnight + timedelta(days=1))
        if self.period == DAY:
            return start, end
        index = (wall - start) // self.period
        return start + index * self.period, min(start + (index + 1) * self.period, end)


def _unix(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
