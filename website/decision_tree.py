"""The picture of docs/choose.md: `python -m website.decision_tree > docs/choose.svg`."""

from __future__ import annotations

import sys
from html import escape

QUESTIONS = [
    ("Does your function open", "connections to a database?", ["VpcDatabaseFunction"]),
    ("Must that database be public?", "", ["PublicSslDatabaseFunction"]),
    ("Is it Aurora, and are single", "statements over HTTPS enough?", ["DataApiFunction"]),
    ("May the work wait", "until there is room?", ["DecoupledInvocation"]),
    ("Must an HTTP caller be answered", "at once, and the work may wait?", ["DecoupledInvocation", ".add_front_door"]),
    ("Does an HTTP caller wait", "for the result?", ["ThrottledApi"]),
    ("Does your function call an API", "with a quota?", ["QuotaThrottledInvocation"]),
    ("Is there an app", "that you can't change yet?", ["DownstreamChecks,", "breakwater check"]),
]
_ROW, _HEIGHT, _LEFT, _RIGHT, _BOX = 84, 60, 10, 325, 265


def picture() -> str:
    """Draw one row for each question: its answer on the right."""
    height = _ROW * len(QUESTIONS) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="14" text-anchor="middle">',
        "<title>Which construct do I need? The same questions stand in the table below the picture.</title>",
        f'<rect width="600" height="{height}" rx="8" fill="#f6f8fa"/>',
    ]
    for row, (first, second, answer) in enumerate(QUESTIONS):
        top = 10 + row * _ROW
        middle = top + _HEIGHT / 2
        parts += _box(_LEFT, top, [line for line in (first, second) if line], "#ffffff", "#57606a")
        parts += _box(_RIGHT, top, answer, "#ddf4ff", "#0969da")
        parts.append(_arrow(_LEFT + _BOX, middle, _RIGHT - 2, middle))
        parts.append(f'<text x="{(_LEFT + _BOX + _RIGHT) / 2}" y="{middle - 8}" fill="#24292f">yes</text>')
        if row + 1 < len(QUESTIONS):
            center = _LEFT + _BOX / 2
            parts.append(_arrow(center, top + _HEIGHT, center, top + _ROW - 2))
    return "\n".join([*parts, "</svg>", ""])


def _box(left: float, top: float, lines: list[str], fill: str, stroke: str) -> list[str]:
    first = top + _HEIGHT / 2 + 5 - 10 * (len(lines) - 1)
    return [
        f'<rect x="{left}" y="{top}" width="{_BOX}" height="{_HEIGHT}" rx="6" fill="{fill}" stroke="{stroke}"/>',
        *(
            f'<text x="{left + _BOX / 2}" y="{first + 20 * number}" fill="#24292f">{escape(line)}</text>'
            for number, line in enumerate(lines)
        ),
    ]


def _arrow(from_x: float, from_y: float, to_x: float, to_y: float) -> str:
    head = f"{to_x - 7},{to_y - 4} {to_x},{to_y} {to_x - 7},{to_y + 4}"
    if from_x == to_x:
        head = f"{to_x - 4},{to_y - 7} {to_x},{to_y} {to_x + 4},{to_y - 7}"
    return (
        f'<line x1="{from_x}" y1="{from_y}" x2="{to_x}" y2="{to_y}" stroke="#57606a" stroke-width="1.5"/>'
        f'<polygon points="{head}" fill="#57606a"/>'
    )


if __name__ == "__main__":
    sys.stdout.write(picture())
