"""A page with a burst's plots: one file, no script, nothing fetched from anywhere."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from ..simulation.verdict import seconds_text
from .simulate_series import counted, highest
from .simulate_words import assumptions, verdict

if TYPE_CHECKING:
    from .simulated_burst import Run

_POINTS = 300
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 720, 170, 70, 14, 24
_COLOURS = ("#0969da", "#1a7f37", "#9a6700", "#8250df", "#bf3989", "#57606a")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #24292f; }
figure { margin: 1.2rem 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; background: #f6f8fa; }
svg text { font: 11px system-ui, sans-serif; fill: #57606a; } .key { font-size: 13px; } .bad { color: #cf222e; }
.note { color: #57606a; font-size: 13px; }
"""


def html_page(runs: list[Run]) -> str:
    """Draw the runs: arrivals, what waits, concurrency, connections against their limit, and what is refused."""
    parts = ["<!doctype html>", '<html lang="en"><head><meta charset="utf-8"><title>breakwater simulate</title>']
    parts += [f"<style>{_STYLE}</style></head><body><h1>breakwater simulate</h1>"]
    parts += [f'<p class="note">{escape(line)}</p>' for line in assumptions(runs[0])]
    for run in runs:
        parts += [f"<h2>{escape(run.title)}</h2>"]
        parts += [f"<p>{escape(line)}</p>" for line in verdict(run)]
        parts += _plots(run)
    return "\n".join([*parts, "</body></html>", ""])


def _plots(run: Run) -> list[str]:
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
    for name, server in app.servers.items():
        series = {name: highest(history.servers[name].connections, run, _POINTS)}
        limit = None if server.max_connections is None else server.usable
        found.append(_plot(f"Connections of {name}", series, run, limit=limit))
    return [*found, _plot("Turned away, each time", refused, run)]


def _plot(title: str, series: dict[str, list[float]], run: Run, *, limit: float | None = None) -> str:
    series = {name: values for name, values in series.items() if any(values)}
    if not series:
        return ""
    top = max([limit or 0.0, *(max(values) for values in series.values())])
    top = _round_up(top)
    inner = _HEIGHT - _TOP - _BOTTOM

    def y(value: float) -> float:
        return _TOP + inner * (1 - value / top)

    lines = [f'<text x="4" y="{y(part * top) + 4:.0f}">{part * top:,.6g}</text>' for part in (0, 0.5, 1)]
    lines += [
        f'<text x="{_LEFT + (_WIDTH - _LEFT - 50) * part:.0f}" y="{_HEIGHT - 6}">'
        f"{seconds_text(run.history.seconds * part)}</text>"
        for part in (0, 0.5, 1)
    ]
    key = []
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        across = (_WIDTH - _LEFT) / max(1, len(values) - 1)
        points = " ".join(f"{_LEFT + index * across:.1f},{y(value):.1f}" for index, value in enumerate(values))
        tip = f"<title>{escape(name)}: {max(values):,.6g} at the most</title>"
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}">{tip}</polyline>')
        key.append(f'<span style="color:{colour}">{escape(name)}</span>')
    if limit is not None:
        lines.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y(limit):.1f}" y2="{y(limit):.1f}" stroke="#cf222e" '
            f'stroke-dasharray="5 4"><title>{limit:,.6g} for functions</title></line>'
        )
        key.append(f'<span class="bad">{limit:,.6g} for functions</span>')
    picture = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(lines)}</svg>'
    return f'<figure><figcaption>{escape(title)}</figcaption>{picture}<p class="key">{" · ".join(key)}</p></figure>'


def _round_up(value: float) -> float:
    """Give the next number with one or two digits."""
    size = 10 ** math.floor(math.log10(value))
    return next(part * size for part in (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10) if part * size >= value * (1 - 1e-9))
