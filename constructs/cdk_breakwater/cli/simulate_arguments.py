"""What `breakwater simulate` takes as text: loads, times, numbers of one resource."""

from __future__ import annotations

import csv
import math
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BreakwaterError
from ..simulation.load import Load, constant, poisson, ramp, recorded, spike

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHAPES = "spike:COUNT[@SECONDS], constant:RATE[:SECONDS], ramp:FROM-TO[:SECONDS], poisson:RATE[:SECONDS] or a CSV file"
_DEFAULT_SECONDS = 60.0
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0}
_TIME = re.compile(r"([0-9.]+(?:e[+-]?[0-9]+)?)(ms|s|min|m|h|)", re.IGNORECASE)
_MOST = 1e15
_DATES = 1e8  # more seconds than a burst lasts: since 1970


def seconds(option: str, text: str) -> float:
    """Read a time such as ``200ms``, ``60s``, ``5m`` or ``0.2``.

    Raises
    ------
    BreakwaterError
        It is none.
    """
    found = _TIME.fullmatch(text.strip())
    try:
        if found is not None and math.isfinite(value := float(found[1]) * _UNITS[found[2].lower()]):
            return value
    except ValueError:
        pass
    raise BreakwaterError(option, f"{text!r} is no time.", "Write seconds, or a number with ms, s, m or h.")


def number(option: str, text: str, *, least: float = 0) -> float:
    """Read a number such as ``1000``, ``1_000`` or ``1e6``.

    Raises
    ------
    BreakwaterError
        It is none, or below the least.
    """
    value = _float(text)
    if not least <= value <= _MOST:
        raise BreakwaterError(
            option, f"{text!r} is no number from {least:g} to {_MOST:g}.", "Write one such as 1000 or 1e6."
        )
    return value


def whole(option: str, text: str, *, most: int) -> int:
    """Read a whole number from 1 on, such as ``50`` or ``1e3``.

    Raises
    ------
    BreakwaterError
        It is none, or above the most.
    """
    value = _float(text)
    if not 1 <= value <= most or value != int(value):
        raise BreakwaterError(option, f"{text!r} is no whole number from 1 to {most:,}.", "Write one such as 50.")
    return int(value)


def part(option: str, text: str) -> float:
    """Read a part such as ``2%`` or ``0.02``.

    Raises
    ------
    BreakwaterError
        It is none between nothing and all.
    """
    digits = text.strip()
    value = _float(digits.removesuffix("%")) / (100 if digits.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise BreakwaterError(option, f"{text!r} is no part of a whole.", "Write one such as 2% or 0.02.")
    return value


def _float(text: str) -> float:
    """Read a number; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def of_one(option: str, text: str, names: Iterable[str]) -> tuple[str | None, str]:
    """Read a value that may be for one resource only: ``VALUE`` or ``NAME=VALUE``.

    A name is given whole, or by its last part where no other has the same.

    Raises
    ------
    BreakwaterError
        Nothing, or more than one thing, has that name.
    """
    name, equals, value = text.rpartition("=")
    if not equals:
        return None, text
    known = sorted(set(names))
    alike = [each for each in known if each == name] or [each for each in known if each.rsplit("/", 1)[-1] == name]
    if len(alike) == 1:
        return alike[0], value
    problem = f"{len(alike)} are called {name!r}." if alike else f"nothing is called {name!r}."
    listed = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
    raise BreakwaterError(option, problem, f"There are: {listed or 'none'}.")


def of_each(option: str, texts: Iterable[str], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give each resource that an option names, or all where it names none, with the value.

    Raises
    ------
    BreakwaterError
        There is nothing that the option is for, or nothing of that name.
    """
    known = list(names)
    if texts and not known:
        raise BreakwaterError(option, "there is nothing in these templates that it is for.", "Leave it out.")
    for text in texts:
        name, value = of_one(option, text, known)
        yield from ((each, value) for each in (known if name is None else [name]))


def load(text: str) -> Load:
    """Read a load.

    Raises
    ------
    BreakwaterError
        It is none.
    """
    shape, colon, rest = text.partition(":")
    if colon and shape in _READERS:
        return _READERS[shape](rest)
    path = Path(text)
    if path.suffix.lower() == ".csv" or path.is_file():
        return _recorded(path)
    raise BreakwaterError("--load", f"there is no load {text!r}.", f"Write {SHAPES}.")


def _spike(text: str) -> Load:
    count, at, when = text.partition("@")
    return spike(number("--load", count), seconds("--load", when) if at else 0.0)


def _constant(text: str) -> Load:
    rate, _, lasts = text.partition(":")
    return constant(number("--load", rate), _lasts(lasts))


def _poisson(text: str) -> Load:
    rate, _, lasts = text.partition(":")
    return poisson(number("--load", rate), _lasts(lasts))


def _ramp(text: str) -> Load:
    rates, _, lasts = text.partition(":")
    first, dash, last = rates.partition("-")
    if not dash:
        raise BreakwaterError("--load", f"a ramp goes from one rate to another (given {text!r}).", f"Write {SHAPES}.")
    return ramp(number("--load", first), number("--load", last), _lasts(lasts))


_READERS = {"spike": _spike, "constant": _constant, "poisson": _poisson, "ramp": _ramp}


def _lasts(text: str) -> float:
    value = seconds("--load", text) if text else _DEFAULT_SECONDS
    if value <= 0:
        raise BreakwaterError("--load", f"it lasts {text!r}.", "Let it last longer than nothing.")
    return value


def _recorded(path: Path) -> Load:
    """Read a CSV file: a time and how many came until the next one; times are seconds, or as ISO 8601 writes them."""
    remedy = "Write lines of a time (seconds, or 2026-11-28T21:00:00) and how many came until the next one."
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row and any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BreakwaterError("--load", f"{path} can't be read ({error}).", remedy) from error
    if rows and not _is_number(rows[0][-1]):
        rows = rows[1:]  # the names of the columns
    found: list[tuple[float, float]] = []
    for line, row in enumerate(rows, 1):
        try:
            found.append((_when(row[0]), float(row[1])))
        except (ValueError, IndexError) as error:
            raise BreakwaterError("--load", f"{path}: row {line} is {','.join(row)!r}.", remedy) from error
        if not 0 <= found[-1][1] <= _MOST or (line > 1 and found[-1][0] <= found[-2][0]):
            problem = f"{path}: row {line} has a number below 0, or a time that is not later than the one before."
            raise BreakwaterError("--load", problem, remedy)
    if not found:
        raise BreakwaterError("--load", f"{path} has no rows.", remedy)
    start = found[0][0] if found[0][0] > _DATES else 0.0
    return recorded([(when - start, count) for when, count in found])


def _when(text: str) -> float:
    text = text.strip()
    if _is_date(text):
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    value = float(text)
    if not 0 <= value <= _MOST:
        raise ValueError(text)
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    return re.match(r"\d{4}-\d\d-\d\d", text.strip()) is not None
