"""A tier that starts anew by the provider's calendar: "5,000 calls a day, reset at midnight in Los Angeles"."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

HOUR = 3_600_000
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
    weight
        As for `RollingWindow`.
    """

    def __init__(self, limit: int, period: int, zone: tzinfo, name: str = "UTC", weight: str = "") -> None:
        self.stated = self.limit = limit
        self.period = period
        self.zone = zone
        self.weight = weight
        self.key = f"calendar:{period}:{name}" + (f":{weight}" if weight else "")
        self.spent: dict[int, int] = {}
        self._span = (0, 0)

    def span(self, wall: int) -> tuple[int, int]:
        """Return start and end (Unix milliseconds, end excluded) of the period that contains ``wall``."""
        if not self._span[0] <= wall < self._span[1]:
            moment = datetime.fromtimestamp(wall / 1000, self.zone)
            first, last = self._local(moment.replace(tzinfo=None))
            if self.period < HOUR:
                self._span = self._elapsed(wall, first, last, moment.utcoffset() or timedelta())
            else:
                self._span = self._instant(first), self._instant(last)
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

    def lower(self, limits: Mapping[str, Sequence[int]]) -> None:
        """Keep to the limit that the provider has named, by the tier's key, where that is lower than the stated one."""
        self.limit = min(self.stated, limits.get(self.key, (self.stated,))[0])

    def dump(self) -> list[list[int]]:
        """Write as [start, calls] per period."""
        return [[start, calls] for start, calls in sorted(self.spent.items())]

    def load(self, pairs: list[list[int]]) -> None:
        """Read what `dump` wrote."""
        self.spent = {period: calls for period, calls in pairs}  # noqa: C416 -- lists from JSON, not pairs

    def _local(self, local: datetime) -> tuple[datetime, datetime]:
        """Return the period by the clock on the wall: what a provider's own code would look at."""
        midnight = datetime(local.year, local.month, local.day)  # noqa: DTZ001 -- what the clock on the wall shows
        if self.period == MONTH:
            first = midnight.replace(day=1)
            return first, (first + timedelta(days=32)).replace(day=1)
        if self.period == WEEK:
            monday = midnight - timedelta(days=midnight.weekday())
            return monday, monday + timedelta(days=7)
        part = timedelta(milliseconds=self.period)
        first = midnight + (local - midnight) // part * part
        last = first + part
        if self.period < HOUR:
            return first, last
        # An hour that comes twice belongs to one part, which is an hour longer. Where it would be cut in two, both
        # parts are one: the provider may count by what the clock shows, or by what has passed.
        while self._comes_twice(first) and self._comes_twice(first - timedelta(microseconds=1)):
            first -= part
        while self._comes_twice(last) and self._comes_twice(last - timedelta(microseconds=1)):
            last += part
        return first, last

    def _elapsed(self, wall: int, first: datetime, last: datetime, offset: timedelta) -> tuple[int, int]:
        """Return the part of a part of less than an hour before or after the clock is set within it."""
        start, end = _unix(first - offset), _unix(last - offset)
        if self._offset_at(start) != offset:
            start = self._changed(start, wall)
        if self._offset_at(end - 1) != offset:
            end = self._changed(wall, end)
        return start, end

    def _changed(self, early: int, late: int) -> int:
        """Return the first instant at which the zone's offset is no longer the one at the first instant."""
        before = self._offset_at(early)
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (middle, late) if self._offset_at(middle) == before else (early, middle)
        return late

    def _offset_at(self, wall: int) -> timedelta:
        return datetime.fromtimestamp(wall / 1000, self.zone).utcoffset() or timedelta()

    def _comes_twice(self, local: datetime) -> bool:
        return self._offset(local, 0) > self._offset(local, 1)

    def _offset(self, local: datetime, fold: int) -> timedelta:
        offset = local.replace(tzinfo=self.zone, fold=fold).utcoffset()
        assert offset is not None  # noqa: S101 -- a zone always knows it
        return offset

    def _instant(self, local: datetime) -> int:
        """Return the first instant at which the clock shows this or more (Unix ms)."""
        early, late = (_unix(local - self._offset(local, fold)) for fold in (1, 0))
        if early >= late:
            return late
        while late - early > 1:  # This local time is skipped: what follows it begins where the clock is set forward.
            middle = (early + late) // 2
            shown = datetime.fromtimestamp(middle / 1000, self.zone).replace(tzinfo=None)
            early, late = (early, middle) if shown >= local else (middle, late)
        return late


def _unix(utc: datetime) -> int:
    return round(utc.replace(tzinfo=timezone.utc).timestamp() * 1000)
