"""What a function says by the message of its error: `RetryAfter(...)` and `QuotaSpent(...)`."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from enum import Enum
from math import isfinite
from typing import NamedTuple

_SIGNAL = re.compile(r"\s*(RetryAfter|QuotaSpent)\((.*)\)\s*", re.DOTALL)
_LONGEST = 400 * 86_400.0
"""Seconds. What is longer is cut to this, and later to the longest that the tiers make sense of."""
_UNIX_SECONDS = 1e9
"""From here on a number is an instant, not a span: 2001 as Unix time, 31 years as a span. From `_UNIX_MILLISECONDS` on
it is one in milliseconds. Providers put instants into `x-ratelimit-reset`."""
_UNIX_MILLISECONDS = 1e12


class Signal(Enum):
    """Which of the two."""

    RETRY_AFTER = "RetryAfter"
    QUOTA_SPENT = "QuotaSpent"


class ReadSignal(NamedTuple):
    """A signal and its seconds: until the next call, or the period of the tier that is spent."""

    name: Signal
    seconds: float


class SignalError(Exception):
    """A signal whose argument makes no sense."""


def read_signal(message: str, now: float) -> ReadSignal | None:
    """Read a signal; None when the message is none.

    Parameters
    ----------
    message
        Of the error.
    now
        Unix time (s), for instants.

    Raises
    ------
    SignalError
        When it is one, and its argument is neither seconds (0 or more) nor, for `RetryAfter`, an instant.
    """
    found = _SIGNAL.fullmatch(message)
    if found is None:
        return None
    name, text = Signal(found[1]), found[2].strip().strip("'\"")
    seconds = _seconds(text)
    if name is Signal.RETRY_AFTER:
        seconds = _until(text, now) if seconds is None else _span(seconds, now)
    if seconds is None or not seconds >= 0:
        expected = "seconds (0 or more)" + (
            ", an HTTP date or a Unix time" if name is Signal.RETRY_AFTER else ", the period of a tier"
        )
        raise SignalError(f"{message[:100]}: the argument is not {expected}")
    return ReadSignal(name, min(seconds, _LONGEST))


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _span(number: float, now: float) -> float:
    if not isfinite(number) or number < _UNIX_SECONDS:
        return number
    return max(0.0, (number / 1000 if number >= _UNIX_MILLISECONDS else number) - now)


def _until(text: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
