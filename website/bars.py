"""Stacked bars as an SVG that can be read in light and dark, and on a phone."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GOOD, LIGHT, DARK, PALE = "#0969da", "#54aeff", "#0a3069", "#b6e3ff"
BAD, HELD_BACK, LEFT_OVER = "#cf222e", "#6e7781", "#d0d7de"
_ON_WHICH_WHITE_CAN_BE_READ = {GOOD, DARK, BAD, HELD_BACK}
_INK, _PALE = "#24292f", "#57606a"
_WIDTH, _MARGIN, _TOP, _BAR, _ROW = 520, 14, 44, 26, 78
_DIGIT, _LETTER = 8.5, 7.4  # what a digit and a letter take at most, in the sizes below


@dataclass(frozen=True)
class Part:
    """A piece of a bar."""

    name: str
    size: int
    colour: str


@dataclass(frozen=True)
class Bar:
    """A bar: what stands above it, its pieces, and what stands below."""

    title: str
    parts: Sequence[Part]
    told: str = ""


def picture(title: str, told: str, bars: Sequence[Bar]) -> str:
    """Draw bars on one scale, and a legend.

    Parameters
    ----------
    title
        What stands above the bars.
    told
        The same in words, for who does not see it.
    bars
        From top to bottom.
    """
    parts = list({part.name: part for bar in bars for part in bar.parts}.values())
    legend = list(_legend(parts, _TOP + _ROW * len(bars)))
    height = _TOP + _ROW * len(bars) + 26 * legend.count("<g>") + 6
    most = max(sum(part.size for part in bar.parts) for bar in bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="14">',
        f"<title>{escape(told)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#f6f8fa"/>',
        _text(_MARGIN, 26, title, _INK, bold=True),
    ]
    for row, bar in enumerate(bars):
        lines += _bar(bar, _TOP + _ROW * row, most)
    return "\n".join([*lines, *legend, "</svg>", ""])


def _bar(bar: Bar, top: float, most: int) -> Iterator[str]:
    yield _text(_MARGIN, top + 14, bar.title, _INK)
    left = float(_MARGIN)
    for part in bar.parts:
        width = part.size / most * (_WIDTH - 2 * _MARGIN)
        yield (
            f'<rect x="{left:.1f}" y="{top + 21}" width="{max(width - 1, 0):.1f}" height="{_BAR}" '
            f'fill="{part.colour}"/>'
        )
        if width > _DIGIT * len(f"{part.size:,}"):
            colour = "#ffffff" if part.colour in _ON_WHICH_WHITE_CAN_BE_READ else _INK
            yield _text(left + width / 2, top + 39, f"{part.size:,}", colour, "middle")
        left += width
    yield _text(_MARGIN, top + 62, bar.told, _PALE)


def _legend(parts: Sequence[Part], top: float) -> Iterator[str]:
    left, line = float(_WIDTH), -1
    for part in parts:
        width = 36 + _LETTER * len(part.name)
        if left + width > _WIDTH - _MARGIN:
            if line >= 0:
                yield "</g>"
            left, line = float(_MARGIN), line + 1
            yield "<g>"
        middle = top + 26 * line + 12
        yield f'<rect x="{left:.1f}" y="{middle - 7}" width="14" height="14" fill="{part.colour}"/>'
        yield _text(left + 20, middle + 5, part.name, _INK)
        left += width
    yield "</g>"


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
