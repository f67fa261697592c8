"""What a function called through a quota tells its dispatcher, by raising or returning it.

The dispatcher reads the message, not the class: so a function in any language can say the same with an error whose
message is `RetryAfter(30)` or `QuotaSpent(86400)`.
"""

from __future__ import annotations

from datetime import timedelta


class RetryAfter(Exception):  # noqa: N818 -- named after the HTTP header
    """The provider asked to wait: no call starts before then, and the message has not failed.

    Parameters
    ----------
    seconds
        What the header `Retry-After` holds: seconds from now (0 or more), or an HTTP date, as text or number. A number
        from 10⁹ on is a Unix time, from 10¹² on one in milliseconds, as `x-ratelimit-reset` may be.

    Raises
    ------
    ValueError
        When it is negative, or no number.
    """

    def __init__(self, seconds: float | str) -> None:
        if isinstance(seconds, str):
            super().__init__(f"RetryAfter({seconds.strip()})")
        elif not seconds >= 0:
            raise ValueError(f"RetryAfter needs 0 seconds or more (given {seconds}).")
        else:
            super().__init__(f"RetryAfter({seconds!r})")
        self.seconds = seconds


class QuotaSpent(Exception):  # noqa: N818 -- a state, not a fault
    """The provider says that a tier is spent, since others use the same key: take it for full, and try again later.

    Parameters
    ----------
    period
        The tier's period: seconds, or a timedelta.

    Raises
    ------
    ValueError
        When it is not positive.
    """

    def __init__(self, period: float | timedelta) -> None:
        seconds = period.total_seconds() if isinstance(period, timedelta) else period
        if not seconds > 0:
            raise ValueError(f"QuotaSpent needs the period of a tier in seconds (given {seconds}).")
        super().__init__(f"QuotaSpent({seconds:g})")
        self.period = seconds


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
    require_used(weight)
    return {"quotaUsed": weight}


def require_used(weight: float) -> None:
    """Refuse what no call can have used."""
    try:
        known = not isinstance(weight, bool) and 0 <= weight < float("inf")
    except TypeError:
        known = False
    if not known:
        raise ValueError(f"used needs a number, 0 or more (given {weight!r}).")
