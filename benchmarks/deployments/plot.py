"""Steps over time, one panel above the other, as an SVG that pages show without anything else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 250, 44, 120, 46, 30
RESERVED, SESSIONS, AT_WORK, LIMIT, TEXT = "#c2410c", "#2563eb", "#93c5fd", "#6b7280", "#111827"


@dataclass(frozen=True)
class Span:
    """A deployment: when it began, when it was done, and what it changed."""

    began: float
    done: float
    title: str


@dataclass(frozen=True)
class Panel:
    """One stack's deployments, what was reserved from each moment on, and the server's sessions, all and at work."""

    title: str
    spans: Sequence[Span]
    reserved: Sequence[tuple[float, int]]
    sessions: Sequence[tuple[float, int]]
    at_work: Sequence[tuple[float, int]]


def draw(panels: Sequence[Panel], budget: int, usable: int) -> str:
    """Draw the panels with one scale of numbers."""
    most = max(usable, *(number for panel in panels for _, number in (*panel.reserved, *panel.sessions))) + 2
    height = HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" fill="{TEXT}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for place, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {place * HEIGHT})">', *_panel(panel, budget, usable, most), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, budget: int, usable: int, most: int) -> list[str]:
    first, last = panel.spans[0].began - 1, max(panel.spans[-1].done + 1, panel.sessions[-1][0])
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def x(moment: float) -> float:
        return LEFT + (min(max(moment, first), last) - first) / (last - first) * (right - LEFT)

    def y(number: float) -> float:
        return floor - number / most * (floor - TOP)

    parts = [f'<text x="{LEFT}" y="18" font-size="15" font-weight="bold">{panel.title}</text>']
    for span in panel.spans:
        width = x(span.done) - x(span.began)
        parts += [
            f'<rect x="{x(span.began):.1f}" y="{TOP}" width="{width:.1f}" height="{floor - TOP}" fill="#f3f4f6"/>',
            f'<text x="{x(span.began):.1f}" y="{TOP - 6}" fill="{LIMIT}">{span.title}</text>',
        ]
    for name, number in (("budget", budget), ("all for clients", usable)):
        parts += [
            f'<path d="M{LEFT} {y(number):.1f}H{right}" stroke="{LIMIT}" stroke-dasharray="4 3"/>',
            f'<text x="{right + 6}" y="{y(number) + 4:.1f}" fill="{LIMIT}">{name} {number}</text>',
        ]
    lines = (
        (panel.at_work, AT_WORK, "at work", 1),
        (panel.sessions, SESSIONS, "sessions", 1),
        (panel.reserved, RESERVED, "reserved", 2),
    )
    for place, (points, colour, name, stroke) in enumerate(lines):
        before = [number for moment, number in points if moment <= first][-1:] or [points[0][1]]
        within = [(moment, number) for moment, number in points if first < moment < last]
        changes = [
            (moment, number)
            for (_, earlier), (moment, number) in pairwise([(first, *before), *within])
            if number != earlier
        ]
        path = f"M{LEFT} {y(before[0]):.0f}" + "".join(
            f"H{x(moment):.0f}V{y(number):.0f}" for moment, number in changes
        )
        parts += [
            f'<path d="{path}H{right}" fill="none" stroke="{colour}" stroke-width="{stroke}"/>',
            f'<text x="{right + 6}" y="{floor - 4 - 16 * place}" fill="{colour}">{name}</text>',
        ]
    ticks = range(0, most + 1, 4)
    parts += [f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>' for tick in ticks]
    seconds = range(0, int(last - first) + 1, max(5, int((last - first) / 10) // 5 * 5))
    parts += [
        f'<text x="{x(first + second):.1f}" y="{HEIGHT - 10}" text-anchor="middle" fill="{LIMIT}">{second} s</text>'
        for second in seconds
    ]
    return parts
