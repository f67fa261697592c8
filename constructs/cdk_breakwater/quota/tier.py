"""One of the limits that a third party grants: so many calls per period."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aws_cdk import Token

from ..errors import BreakwaterError
from .time_zones import zone_rule, zone_transitions

if TYPE_CHECKING:
    from aws_cdk import Duration

_DAY = 86_400
_WEEK = 7 * _DAY
_MONTH = 30 * _DAY


@dataclass(frozen=True)
class QuotaTier:
    """A limit of calls per period.

    Parameters
    ----------
    limit
        Calls, 1 or more.
    period
        1 second or more. With a calendar start: a part of a day that divides it evenly, 1 day, 7 days (from Monday) or
        30 days, which stand for a calendar month.
    start
        ``rolling`` (default): no window of this length, wherever it begins, holds more calls. ``calendar``: the
        provider resets its counter when the period begins in ``time_zone``.
    time_zone
        IANA name of the zone of a calendar tier. Default: ``UTC``.

    Raises
    ------
    BreakwaterError
        When a value is none of these.
    """

    limit: int
    period: Duration
    start: Literal["rolling", "calendar"] = "rolling"
    time_zone: str | None = None

    def __post_init__(self) -> None:
        if Token.is_unresolved(self.limit) or self.period.is_unresolved():
            raise BreakwaterError(
                "QuotaTier", "limit or period is a token.", "Give plain numbers: the code reads them."
            )
        if self.limit != int(self.limit) or self.limit < 1:
            raise BreakwaterError(
                "QuotaTier", f"limit={self.limit} grants no whole call.", "It must be 1 or more, without a fraction."
            )
        seconds = self.period.to_milliseconds() / 1000
        if seconds < 1:
            raise BreakwaterError(
                "QuotaTier", f"period={seconds:g} s is too short.", "It must be 1 s or more: scale limit and period up."
            )
        if self.start not in ("rolling", "calendar"):
            raise BreakwaterError("QuotaTier", f"start={self.start!r} is unknown.", "It is 'rolling' or 'calendar'.")
        if self.start == "rolling" and self.time_zone is not None:
            raise BreakwaterError(
                "QuotaTier", f"a rolling tier has no time zone (given {self.time_zone!r}).", "Use start='calendar'."
            )
        if self.start == "calendar" and seconds not in (_WEEK, _MONTH) and (seconds > _DAY or _DAY % seconds):
            raise BreakwaterError(
                "QuotaTier",
                f"period={seconds:g} s does not fit the calendar.",
                "It must divide a day, or be 1 day, 7 days (from Monday) or 30 days (a calendar month).",
            )
        if self.start == "calendar":
            zone_rule(self.time_zone or "UTC")

    def setting(self) -> dict[str, Any]:
        """Return the tier as the dispatcher reads it."""
        tier: dict[str, Any] = {"limit": int(self.limit), "period": int(self.period.to_milliseconds())}
        if self.start == "calendar":
            name = self.time_zone or "UTC"
            tier |= {"zone": zone_rule(name), "zone_name": name}
            if transitions := zone_transitions(name):
                tier["transitions"] = transitions
        return tier

    @property
    def per_second(self) -> float:
        """Calls per second, on average."""
        return self.limit / self.period.to_seconds(integral=False)

    def __str__(self) -> str:
        return f"{int(self.limit)} per {self.period.to_human_string()}"


def fingerprint(tiers: list[dict[str, Any]]) -> str:
    """Name tiers in a few characters, as the dispatcher does."""
    return hashlib.sha256(json.dumps(tiers, sort_keys=True).encode()).hexdigest()[:16]
