"""What the construct tells the functions of a quota, in the environment variable BREAKWATER_QUOTA."""

from __future__ import annotations

import io
import json
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from .calendar_window import CalendarWindow
from .rolling_window import RollingWindow

if TYPE_CHECKING:
    from .quota import Window

VARIABLE = "BREAKWATER_QUOTA"


@dataclass(frozen=True)
class Settings:
    """One quota.

    Attributes
    ----------
    name
        The dimension of its metrics.
    table
        The table of its state.
    function
        The ARN of the function to call.
    queue_arns
        From the queues that producers send to, by their ARN, to the lanes of the backlog that each one feeds.
    lanes
        The URLs of all lanes; a priority lane comes first and has ``priority`` set.
    tiers
        limit, period (ms) and, for calendar tiers, zone (its POSIX rule) and zone_name.
    longest_call
        Milliseconds from the start of a call's slot within which it has ended for certain.
    """

    name: str
    table: str
    function: str
    queue_arns: dict[str, list[str]]
    lanes: list[str]
    priority: bool
    dead_letters: str
    doorbell: str
    ordered: bool
    parallelism: int
    longest_call: int
    max_attempts: int
    tiers: list[dict[str, Any]]

    @classmethod
    def from_environment(cls) -> Settings:
        """Read them."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def windows(self) -> list[Window]:
        """Make the windows of the tiers, without history."""
        return [_window(**tier) for tier in self.tiers]


def _window(limit: int, period: int, zone: str = "", zone_name: str = "") -> Window:
    if not zone:
        return RollingWindow(limit, period)
    return CalendarWindow(limit, period, time_zone(zone), zone_name)


def time_zone(rule: str) -> ZoneInfo:
    """Make a time zone from its POSIX rule, such as ``EST5EDT,M3.2.0,M11.1.0``.

    Lambda's Python runtimes on Amazon Linux 2023 bring no time zone database, so the construct reads the rule from the
    database of the machine that synthesizes. This is the smallest file in the format of RFC 9636 that holds it: no
    transitions, one type, and the rule as the footer.
    """
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 1)
    block = header + struct.pack(">lbb", 0, 0, 0) + b"\0"
    return ZoneInfo.from_file(io.BytesIO(block + block + b"\n" + rule.encode() + b"\n"), key=rule)
