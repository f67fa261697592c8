"""What the dispatcher must know of a time zone: Lambda brings no time zone database."""

from __future__ import annotations

import io
import re
import struct
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import TZPATH, ZoneInfo

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Iterator

YEARS = 10
"""For so many years from this one on, what a zone's rule doesn't say goes into the settings."""
_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_NO_PLACES = ("localtime", "posixrules", "Factory", "posix", "right")
"""Files and folders beside the zones: the machine's own zone, a default, none, and copies of all zones."""
_HEADER = 44  # bytes. RFC 9636, section 3.1


def zone_rule(zone: str) -> str:
    """Return the POSIX rule of a zone, the footer of its file (RFC 9636), which holds after its last transition.

    Raises
    ------
    BreakwaterError
        When the zone is unknown here, or has no rule.
    """
    content = _content(zone)
    rule = content.rsplit(b"\n", 2)[-2].decode("ascii", "replace") if content.startswith(b"TZif") else ""
    if not rule:
        raise BreakwaterError("QuotaTier", f"time_zone={zone!r} has no rule for the future.", "Use another zone.")
    return rule


def zone_transitions(zone: str, year: int | None = None) -> list[list[int]]:
    """Return what the rule of a zone doesn't say about the years to come: none for most zones.

    Morocco goes back an hour for Ramadan, which no rule can express: its file lists the days.

    Parameters
    ----------
    zone
        IANA name.
    year
        The first one. Default: this one.

    Returns
    -------
    list of [int, int]
        Unix time (s), and seconds east of UTC from then on; the first one holds before the second.
    """
    year = year or datetime.now(timezone.utc).year
    first, last = (int(datetime(y, 1, 1, tzinfo=timezone.utc).timestamp()) for y in (year, year + YEARS))
    content = _content(zone)
    found = [[at, offset] for at, offset in _listed(content) if at < last]
    before = [pair for pair in found if pair[0] < first][-1:]
    within = [pair for pair in found if pair[0] >= first]
    by_rule = ZoneInfo.from_file(io.BytesIO(_only_rule(zone_rule(zone))), key=zone)
    if all(_offset(by_rule, at) == offset for at, offset in within):
        return []
    return [*before, *within]


def _listed(content: bytes) -> Iterator[tuple[int, int]]:
    """Read the transitions of the second block, whose times have 64 bits."""
    universal, standard, leaps, times, types, characters = struct.unpack(">6l", content[20:_HEADER])
    start = _HEADER + times * 5 + types * 6 + characters + leaps * 8 + standard + universal
    _, _, _, times, types, _ = struct.unpack(">6l", content[start + 20 : start + _HEADER])
    place = start + _HEADER
    instants = struct.unpack(f">{times}q", content[place : place + 8 * times])
    kinds = content[place + 8 * times : place + 9 * times]
    place += 9 * times
    for instant, kind in zip(instants, kinds, strict=True):
        yield instant, struct.unpack(">l", content[place + 6 * kind : place + 6 * kind + 4])[0]


def _only_rule(rule: str) -> bytes:
    block = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 1) + struct.pack(">lbb", 0, 0, 0) + b"\0"
    return block + block + b"\n" + rule.encode() + b"\n"


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _content(zone: str) -> bytes:
    relative = Path(zone)
    if _NAME.fullmatch(zone) and relative.parts[0] not in _NO_PLACES:
        for folder in TZPATH:
            path = Path(folder) / relative
            if path.is_file():
                return path.read_bytes()
        try:
            return files("tzdata").joinpath("zoneinfo", *relative.parts).read_bytes()
        except (FileNotFoundError, ModuleNotFoundError, IsADirectoryError):
            pass
    raise BreakwaterError(
        "QuotaTier",
        f"time_zone={zone!r} is no place or fixed zone that is known here.",
        "Use an IANA name such as 'America/Los_Angeles'; a machine without a time zone database needs PyPI's tzdata.",
    )
