"""One of the limits that a third party grants: so many calls per period."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .._cdk.arguments import DURATION, TEXT, require
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from .time_zones import zone_rule, zone_transitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import Duration
    from constructs import IConstruct

_QUARTER_OF_AN_HOUR = 900
"""All clocks differ by a multiple of it, so that shorter periods begin everywhere at once."""
_DAY = 86_400
_WEEK = 7 * _DAY
_MONTH = 30 * _DAY
HIGHEST_LIMIT = 10**15
"""Below the heaviest weight that the dispatcher knows, 2**53: what is heavier is refused."""
_PATH = re.compile(r"\$(\.(?!\*([.\[]|$))[^.\[\]\s]+|\[\d{1,6}\])+")
# Source: Amazon SQS Developer Guide, "Amazon SQS message metadata".
_ATTRIBUTE = re.compile(r"(?=.{1,256}$)(?!(?i:aws|amazon)\.)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
SOURCES = (
    "Give a path in the message's body such as '$.usage.tokens' or '$.rows[0]', each step of which is a name or a "
    "number, or the name of a message attribute as SQS has them: letters, digits, '_', '-' and single '.' between "
    "them, up to 256, not beginning with 'AWS.' or 'Amazon.'."
)
_ZONE_CHANGE_SECONDS = 2 * 3_600
"""Clocks are set back by no more than that (Antarctica/Troll, others by an hour or less)."""
LATE_MILLISECONDS = 2_000
"""The dispatcher starts a call at most so long after its slot (LATE in its code)."""


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
    counted
        When the provider counts a call. ``anywhere`` (default) between its start and its end: a call then holds its
        place until a period after its end. ``arrival``: when the request arrives, so that long calls and a short period
        go together. Only for rolling tiers.
    arrives_within
        With ``counted="arrival"``: so long after the function was invoked, the provider has the request for certain,
        cold starts included. What arrives later may exceed the tier.
    weight
        Where a message says what its call costs in this tier, such as tokens of a language model: a path in its body,
        ``$.tokens`` or ``$.usage.rows[0]``, or the name of a message attribute. A number above 0, rounded up. It is an
        upper bound: what the call has used in truth, its function may return (`breakwater_runtime.used`). A message
        without a weight, or with one above the limit, goes to the dead-letter queue. Default: each call counts as 1.

    Raises
    ------
    BreakwaterError
        When a value is none of these.
    """

    limit: int
    period: Duration
    start: Literal["rolling", "calendar"] = "rolling"
    time_zone: str | None = None
    counted: Literal["anywhere", "arrival"] = "anywhere"
    arrives_within: Duration | None = None
    weight: str | None = None

    def __post_init__(self) -> None:
        given = {
            "period": self.period,
            "time_zone": self.time_zone,
            "arrives_within": self.arrives_within,
            "weight": self.weight,
        }
        kinds = {"period": DURATION, "time_zone": TEXT, "arrives_within": DURATION, "weight": TEXT}
        require("QuotaTier", given, kinds, needed=("period",))
        if self.period.is_unresolved():
            raise BreakwaterError("QuotaTier", "period is a token.", "Give a plain number: the code reads it.")
        if required_number("QuotaTier", "limit", self.limit) > HIGHEST_LIMIT:
            raise BreakwaterError(
                "QuotaTier", f"limit={self.limit} is out of range.", f"It is {HIGHEST_LIMIT:,} at most."
            )
        seconds = self.period.to_milliseconds() / 1000
        if seconds < 1:
            raise BreakwaterError(
                "QuotaTier",
                f"period={self.period.to_human_string()} is too short.",
                "It must be 1 s or more: scale limit and period up.",
            )
        if self.start not in ("rolling", "calendar"):
            raise BreakwaterError("QuotaTier", f"start={self.start!r} is unknown.", "It is 'rolling' or 'calendar'.")
        if self.start == "rolling" and self.time_zone is not None:
            raise BreakwaterError(
                "QuotaTier",
                f"time_zone={self.time_zone!r} is given, and a rolling tier has none.",
                "Use start='calendar'.",
            )
        if self.start == "calendar" and seconds not in (_WEEK, _MONTH) and (seconds > _DAY or _DAY % seconds):
            raise BreakwaterError(
                "QuotaTier",
                f"period={self.period.to_human_string()} does not fit the calendar.",
                "It must divide a day, or be 1 day, 7 days (from Monday) or 30 days (a calendar month).",
            )
        if self.start == "calendar":
            zone_rule(self.time_zone or "UTC")
        self._check_counted()
        if self.weight is not None and not is_source(self.weight):
            raise BreakwaterError(
                "QuotaTier", f"weight={self.weight!r} is neither a path nor the name of an attribute.", SOURCES
            )

    def _check_counted(self) -> None:
        if self.counted not in ("anywhere", "arrival"):
            raise BreakwaterError(
                "QuotaTier", f"counted={self.counted!r} is unknown.", "It is 'anywhere' or 'arrival'."
            )
        if self.counted == "arrival" and self.start == "calendar":
            raise BreakwaterError(
                "QuotaTier", "counted='arrival' is for rolling tiers.", "Leave it out: a calendar tier needs no place."
            )
        if (self.counted == "arrival") != (self.arrives_within is not None):
            within = self.arrives_within and self.arrives_within.to_human_string()
            raise BreakwaterError(
                "QuotaTier",
                f"counted={self.counted!r} and arrives_within={within} contradict each other.",
                "Say with counted='arrival', and only then, how long a request may take to arrive.",
            )
        if self._arrival_seconds is not None and self._arrival_seconds <= 0:
            raise BreakwaterError(
                "QuotaTier", "arrives_within is 0.", "It is how long a request may take, cold starts included."
            )

    @property
    def _arrival_seconds(self) -> float | None:
        return None if self.arrives_within is None else self.arrives_within.to_seconds(integral=False)

    def used(self, duration: float) -> float:
        """Return the part of the tier that can be used with calls that take so long (s)."""
        if self.start == "calendar":
            return 1.0
        period = self.period.to_seconds(integral=False)
        held = duration if self._arrival_seconds is None else min(duration, self._arrival_seconds)
        return period / (period + held)

    @property
    def why_held(self) -> str:
        """Say how long a call holds a place of a rolling tier."""
        until = f"a call holds its place from its slot until {self.period.to_human_string()} after "
        if self.arrives_within is None:
            return (
                f"{until}its end, since nobody but the provider knows when within a call it counts (if that is when "
                "the request arrives, say so with counted='arrival')"
            )
        return f"{until}its end, or after arrives_within={self.arrives_within.to_human_string()} if that is earlier"

    def setting(self) -> dict[str, Any]:
        """Return the tier as the dispatcher reads it."""
        tier: dict[str, Any] = {"limit": int(self.limit), "period": int(self.period.to_milliseconds())}
        if self.arrives_within is not None:
            tier["arrival"] = LATE_MILLISECONDS + int(self.arrives_within.to_milliseconds())
        if self.weight is not None:
            tier["weight"] = self.weight
        if self.start == "calendar":
            name = self.time_zone or "UTC"
            tier |= {"zone": zone_rule(name), "zone_name": name}
            if transitions := zone_transitions(name):
                tier["transitions"] = transitions
        return tier

    @property
    def clock(self) -> tuple[object, object]:
        """What its calendar goes by, whatever its zone is called."""
        setting = self.setting()
        return setting.get("zone"), setting.get("transitions")

    @property
    def per_second(self) -> float:
        """Calls, or weight, per second on average."""
        return self.limit / self.period.to_seconds(integral=False)

    def __str__(self) -> str:
        unit = f" of {self.weight}" if self.weight else ""
        return f"{int(self.limit)}{unit} per {self.period.to_human_string()}"


def fingerprint(tiers: list[dict[str, Any]]) -> str:
    """Name tiers in a few characters, as the dispatcher does."""
    return hashlib.sha256(json.dumps(tiers, sort_keys=True).encode()).hexdigest()[:16]


def check_tiers(where: IConstruct, tiers: Sequence[QuotaTier]) -> None:
    """Refuse tiers that contradict each other.

    Raises
    ------
    BreakwaterError
        When there are none, two of the same kind, or two that count different weights.
    """
    if not tiers:
        raise BreakwaterError(where, "there are no tiers.", "Name at least one QuotaTier.")
    weights = dict.fromkeys(tier.weight for tier in tiers if tier.weight)
    if len(weights) > 1:
        raise BreakwaterError(
            where,
            f"its tiers count different weights: {', '.join(weights)}.",
            "Let all tiers that count weights name the same one, or count calls.",
        )
    seen: dict[tuple[str, int, str | None], QuotaTier] = {}
    for tier in tiers:
        key = (tier.start, int(tier.period.to_milliseconds()), tier.weight)
        if key in seen:
            raise _same_period(where, seen[key], tier)
        seen[key] = tier


def is_source(text: str) -> bool:
    """Tell whether something of a message can stand there: a path in its body, or the name of an attribute."""
    return bool(_PATH.fullmatch(text) or _ATTRIBUTE.fullmatch(text))


def _same_period(where: IConstruct, one: QuotaTier, other: QuotaTier) -> BreakwaterError:
    problem = f"two {one.start} tiers have the same period: {one} and {other}."
    seconds = one.period.to_seconds(integral=False)
    if one.clock == other.clock or _QUARTER_OF_AN_HOUR % seconds == 0:
        return BreakwaterError(where, problem, "Keep the lower one.")
    zones = " and ".join(tier.time_zone or "UTC" for tier in (one, other))
    lowest = min(int(tier.limit) for tier in (one, other))
    weight = f", weight={one.weight!r}" if one.weight else ""
    longest = (31 * _DAY if seconds == _MONTH else seconds) + _ZONE_CHANGE_SECONDS
    return BreakwaterError(
        where,
        f"{problem[:-1]}, by the clocks of {zones}. A quota has one calendar for a period, and the day of one place "
        "overlaps two of the other.",
        f"A rolling tier holds in both, if it is as long as the longest such period: QuotaTier(limit={lowest}, "
        f"period=Duration.minutes({longest / 60:g}){weight}).",
    )
