"""From a tier as the construct writes it to its window, without any history."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from .calendar_window import CalendarWindow
from .rolling_window import RollingWindow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .quota import Window

TAG = "breakwater:tiers"
"""The tag of the doorbell queue that names the tiers of the last deployment."""


def window(
    limit: int,
    period: int,
    zone: str = "",
    zone_name: str = "",
    transitions: Sequence[Sequence[int]] = (),
    *,
    arrival: int | None = None,
    weight: str = "",
) -> Window:
    """Make the window of a tier.

    Parameters
    ----------
    limit, period
        Calls, and milliseconds.
    zone, zone_name, transitions
        Of a calendar tier: the zone's POSIX rule, its name, and what the rule doesn't say.
    arrival, weight
        As for `RollingWindow`.
    """
    if not zone:
        return RollingWindow(limit, period, arrival, weight)
    made = _time_zone_once(zone, tuple((at, offset) for at, offset in transitions))
    return CalendarWindow(limit, period, made, zone_name, weight)


def fingerprint(tiers: list[dict[str, Any]]) -> str:
    """Name tiers in a few characters."""
    return hashlib.sha256(json.dumps(tiers, sort_keys=True).encode()).hexdigest()[:16]


def time_zone(rule: str, transitions: Sequence[Sequence[int]] = ()) -> ZoneInfo:
    """Make a time zone from its POSIX rule, such as ``EST5EDT,M3.2.0,M11.1.0``.

    Lambda's Python runtimes on Amazon Linux 2023 bring no time zone database, so the construct reads the rule from the
    database of the machine that synthesizes. This is the smallest file in the format of RFC 9636 that holds it, with
    the rule as the footer.

    Parameters
    ----------
    rule
        What holds after the last transition.
    transitions
        [Unix time, seconds east of UTC from then on] each, in order; the first one is what holds before the second.
    """
    empty = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 1) + struct.pack(">lbb", 0, 0, 0) + b"\0"
    offsets = sorted({offset for _, offset in transitions} or {0})
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, len(transitions), len(offsets), 1)
    times = b"".join(struct.pack(">q", at) for at, _ in transitions)
    kinds = bytes(offsets.index(offset) for _, offset in transitions)
    types = b"".join(struct.pack(">lbb", offset, 0, 0) for offset in offsets)
    content = empty + header + times + kinds + types + b"\0" + b"\n" + rule.encode() + b"\n"
    return ZoneInfo.from_file(io.BytesIO(content), key=rule)


_time_zone_once = cache(time_zone)
"""A state is read anew for each write, with its windows."""
