"""What a function called through a quota tells its dispatcher, by raising or returning it.

The dispatcher reads the message, not the class: so a function in any language can say the same with an error whose
message is `RetryAfter(30)` or `QuotaSpent(86400)`.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from math import inf, isnan, nan
from typing import SupportsFloat

from breakwater_runtime.header_times import read_time, unix_time

_NOT_NAMED = 1
"""The dispatcher waits 1, 2, 4 ... s, up to 15 minutes, while every call says so."""


class RetryAfter(Exception):  # noqa: N818 -- named after the HTTP header
    """The provider asked to wait: no call starts before then, and the message has not failed.

    Parameters
    ----------
    seconds
        What the header `Retry-After` holds: seconds from now (0 or more), a span such as `6m0s`, or a date, as text,
        number, timedelta or datetime. A number from 10⁹ on is a Unix time, from 10¹² on one in milliseconds, as
        `x-ratelimit-reset` may be. None: the provider named no time, so the quota tries one call after 1 s, and after
        2, 4, 8 … s, at most 15 minutes, as long as all are refused. A text that is no time is logged, and taken for
        None. Default: None.

    Attributes
    ----------
    seconds : float
        As a number: seconds from now, or a Unix time.

    Raises
    ------
    ValueError
        When it is negative, or neither a number nor one of these.
    """

    def __init__(self, seconds: SupportsFloat | str | bytes | timedelta | datetime | None = None) -> None:
        self.seconds = _wait(seconds)
        super().__init__(f"RetryAfter({_shortest(self.seconds)})")


class QuotaSpent(Exception):  # noqa: N818 -- a state, not a fault
    """The provider says that a tier is spent, since others use the same key: take it for full, and try again later.

    Parameters
    ----------
    period
        The tier's period: seconds, or a timedelta. The message fails if no tier has it.

    Raises
    ------
    ValueError
        When it is not positive, or no number.
    """

    def __init__(self, period: SupportsFloat | timedelta) -> None:
        seconds = number_of(period.total_seconds() if isinstance(period, timedelta) else period)
        if not 0 < seconds < inf:
            raise ValueError(f"QuotaSpent needs the period of a tier in seconds (given {period!r}).")
        super().__init__(f"QuotaSpent({_shortest(seconds)})")
        self.period = period


def number_of(given: object) -> float:
    """Return a number as JSON knows it; NaN for what is none, such as a text or True."""
    if isinstance(given, bool) or not isinstance(given, SupportsFloat):
        return nan
    try:
        return given if isinstance(given, int) else float(given)
    except (TypeError, ValueError):
        return nan


def _wait(given: SupportsFloat | str | bytes | timedelta | datetime | None) -> float:
    """Return seconds, or a Unix time."""
    if given is None:
        return _NOT_NAMED
    if isinstance(given, str | bytes):
        text = given if isinstance(given, str) else given.decode("latin-1")
        seconds = read_time(text)
        if seconds is None:
            logging.getLogger(__name__).warning("RetryAfter(%.100r) is no time: taken as if none was named", text)
            return _NOT_NAMED
        return seconds
    if isinstance(given, datetime):
        return unix_time(given)
    seconds = number_of(given.total_seconds() if isinstance(given, timedelta) else given)
    if isnan(seconds) or seconds < 0:
        raise ValueError(f"RetryAfter needs 0 seconds or more, or a date (given {given!r}).")
    return seconds


def _shortest(seconds: float) -> str:
    return str(int(seconds) if seconds == seconds // 1 else seconds)


def used(weight: float) -> dict[str, float]:
    """Say what a call has used in truth: what its function returns.

    The message's own weight is what it may use at most, which its slot takes. What is less than that is free at once
    for others; what is more counts, and the next ones wait.

    Parameters
    ----------
    weight
        In the unit of the quota's `weight`: 0 or more.

    Returns
    -------
    dict
        To be returned by the function, alone or with more: ``return breakwater.used(812)``. A function in any language
        may return ``{"quotaUsed": 812}``.

    Raises
    ------
    ValueError
        When it is negative, or no number.
    """
    return {"quotaUsed": used_of(weight)}


def used_of(weight: float) -> float:
    """Return what a call has used; what none can have used is refused."""
    number = number_of(weight)
    if not 0 <= number < inf:
        raise ValueError(f"used needs a number, 0 or more (given {weight!r}).")
    return number
