"""Times as providers write them into headers: seconds, spans, Unix times and dates."""

from __future__ import annotations

import re
from datetime import datetime, timezone

UNIX_SECONDS = 1e9
"""From here on a number is an instant, not a span, as the dispatcher has it."""
_UNIX_MILLISECONDS = 1e12
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def read_number(text: str) -> float | None:
    """Read a number from 0 on; None for what is none, or has no end."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def read_time(text: str) -> float | None:
    """Read a time in any of its forms.

    Returns
    -------
    float or None
        Seconds from now below `UNIX_SECONDS`, else a Unix time in seconds. What was before 2001 is 0.
    """
    text = text.strip()
    number = read_number(text)
    if number is not None:
        return number / 1_000 if number >= _UNIX_MILLISECONDS else number
    if re.fullmatch(rf"({_SPAN.pattern})+", text):
        return min(UNIX_SECONDS - 1, sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text)))
    return _instant(text)


def unix_time(instant: datetime) -> float:
    """Return what `read_time` returns of an instant."""
    seconds = instant.timestamp()
    return seconds if seconds >= UNIX_SECONDS else 0.0


def _instant(text: str) -> float | None:
    try:
        instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            instant = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
    return unix_time(instant.replace(tzinfo=instant.tzinfo or timezone.utc))
