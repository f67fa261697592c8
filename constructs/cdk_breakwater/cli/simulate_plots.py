"""A burst's plots, as pictures in SVG."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from ..simulation.quota import Quota
from ..simulation.verdict import seconds_text
from .simulate_series import counted, highest

if TYPE_CHECKING:
    from .simulated_burst import Run

_POINTS = 300
WIDTH, HEIGHT = 720, 170
_LEFT, _TOP, _BOTTOM = 70, 14, 24
_COLOURS = ("#0969da", "#1a7f37", "#9a6700", "#8250df", "#bf3989", "#57606a")
LIMIT_COLOUR = "#cf222e"


class Plot(NamedTuple):
    """One plot.

    Attributes
    ----------
    title
        What it shows.
    body
        The elements of its picture, `WIDTH` by `HEIGHT`.
    key
        The text and colour of each line.
    """

    title: str
    body: str
    key: list[tuple[str, str]]


def plots(run: Run) -> list[Plot]:
    """Draw arrivals, what waits, concurrency, connections against their limit, and what is refused."""
    history, app = run.history, run.application
    entries = history.entries
    waiting = {name: highest(each.depth, run, _POINTS) for name, each in entries.items()}
    refused = {
        **{f"{name}: 429": counted(each.limited, run, _POINTS) for name, each in entries.items()},
        **{f"{name}: no room": counted(each.throttled, run, _POINTS) for name, each in entries.items()},
        **{f"{name}: lost": counted(each.lost, run, _POINTS) for name, each in entries.items()},
        **{f"{name}: refused": counted(each.refused, run, _POINTS) for name, each in history.servers.items()},
    }
    concurrency = {name: highest(each.concurrency, run, _POINTS) for name, each in history.functions.items()}
    arrivals = {name: counted(each.arrivals, run, _POINTS) for name, each in entries.items()}
    found = [
        _plot("Arrivals", arrivals, run),
        _plot("Waiting messages and events", waiting, run),
        _plot("Concurrency", concurrency, run),
    ]
    for entry in app.entries:
        for tier in entry.tiers if isinstance(entry, Quota) and entry.is_kept else ():
            series = {tier.name: highest(entries[entry.name].tiers[tier.name].used, run, _POINTS)}
            found.append(_plot(f"{entry.name}: used", series, run, limit=tier.limit, of="granted"))
    for name, server in app.servers.items():
        series = {name: highest(history.servers[name].connections, run, _POINTS)}
        limit = None if server.max_connections is None else server.usable
        found.append(_plot(f"Connections of {name}", series, run, limit=limit, of="for functions"))
    found.append(_plot("Turned away, each time", refused, run))
    return [plot for plot in found if plot is not None]


def _plot(
    title: str, series: dict[str, list[float]], run: Run, *, limit: float | None = None, of: str = ""
) -> Plot | None:
    series = {name: values for name, values in series.items() if any(values)}
    if not series:
        return None
    top = max([limit or 0.0, *(max(values) for values in series.values())])
    top = _round_up(top)
    inner = HEIGHT - _TOP - _BOTTOM

    def y(value: float) -> float:
        return _TOP + inner * (1 - value / top)

    lines = [f'<text x="4" y="{y(part * top) + 4:.0f}">{part * top:,.6g}</text>' for part in (0, 0.5, 1)]
    lines += [
        f'<text x="{_LEFT + (WIDTH - _LEFT - 50) * part:.0f}" y="{HEIGHT - 6}">'
        f"{seconds_text(run.history.seconds * part)}</text>"
        for part in (0, 0.5, 1)
    ]
    key: list[tuple[str, str]] = []
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        across = (WIDTH - _LEFT) / max(1, len(values) - 1)
        points = " ".join(f"{_LEFT + index * across:.1f},{y(value):.1f}" for index, value in enumerate(values))
        tip = f"<title>{escape(name)}: {max(values):,.6g} at the most</title>"
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}">{tip}</polyline>')
        key.append((name, colour))
    if limit is not None:
        lines.append(
            f'<line x1="{_LEFT}" x2="{WIDTH}" y1="{y(limit):.1f}" y2="{y(limit):.1f}" stroke="{LIMIT_COLOUR}" '
            f'stroke-dasharray="5 4"><title>{limit:,.6g} {of}</title></line>'
        )
        key.append((f"{limit:,.6g} {of}", LIMIT_COLOUR))
    return Plot(title, "".join(lines), key)


def _round_up(value: float) -> float:
    """Give the next number with one or two digits."""
    size = 10 ** math.floor(math.log10(value))
    return next(part * size for part in (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10) if part * size >= value * (1 - 1e-9))
