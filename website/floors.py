"""The picture of docs/architecture.md, from the contracts of import-linter: `python -m website.floors`."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

import tomli

_PROJECT = Path(__file__).parents[1] / "pyproject.toml"
_WIDTH, _MARGIN, _GAP, _BOX, _BOXES, _LABEL = 720, 12, 6, 30, 4, 40
_COLOURS = {"cdk_breakwater": ("#ddf4ff", "#0969da"), "breakwater_runtime": ("#dafbe1", "#1a7f37")}


class House(NamedTuple):
    """A package, and its floors from the top down, each with the packages or modules that stand on it side by side."""

    name: str
    floors: list[list[str]]


def houses() -> list[House]:
    """Read the floors that import-linter holds."""
    contracts = tomli.loads(_PROJECT.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layered = [contract for contract in contracts if contract["type"] == "layers"]
    return [
        House(contract["containers"][0], [[one.strip() for one in floor.split("|")] for floor in contract["layers"]])
        for contract in layered
    ]


def picture() -> str:
    """Draw a row of boxes for each floor, the upper floors first."""
    parts: list[str] = []
    top = 0.0
    for house in houses():
        fill, stroke = _COLOURS[house.name]
        parts.append(f'<text x="{_MARGIN}" y="{top + 26}" font-weight="600">{house.name}</text>')
        top += _LABEL
        for floor in house.floors:
            for row in (floor[first : first + _BOXES] for first in range(0, len(floor), _BOXES)):
                width = (_WIDTH - 2 * _MARGIN - _GAP * (len(row) - 1)) / len(row)
                for number, name in enumerate(row):
                    left = _MARGIN + number * (width + _GAP)
                    parts += [
                        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BOX}" rx="5" fill="{fill}" '
                        f'stroke="{stroke}"/>',
                        f'<text x="{left + width / 2:.1f}" y="{top + 20}" text-anchor="middle">{escape(name)}</text>',
                    ]
                top += _BOX
            top += _GAP
    title = "The floors of the two packages: an upper one imports from lower ones, and never the other way round"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top + _MARGIN:g}" role="img" '
            'font-family="system-ui, sans-serif" font-size="13" fill="#24292f">',
            f"<title>{title}</title>",
            f'<rect width="{_WIDTH}" height="{top + _MARGIN:g}" rx="8" fill="#f6f8fa"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(picture())
