"""The page docs/defaults.md."""

from __future__ import annotations

from pathlib import Path

from .limits import SECTIONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "defaults.md"
_INTRODUCTION = """\
# What is set by default

The same small app with each library, nothing configured that isn't needed, and a function of 30 s that may hold part of
50 connections. Each value below is read out of the synthesized template. What a template leaves out is `unset`, and
AWS's own default holds: an API takes all of the account's 10,000 requests per second, a failing record blocks its shard
until it expires, a function takes the account's concurrency. A client's rate is an argument that `add_client` asks for,
and an option of the others' usage plans.

The apps are in [benchmarks/defaults/apps](../benchmarks/defaults/apps); `python -m benchmarks.defaults` writes this
page, and a test holds the first column to it.
"""


def page(columns: dict[str, dict[tuple[str, str], str]]) -> str:
    """Write the page from the columns, by their headings."""
    parts = [_INTRODUCTION]
    for section in SECTIONS:
        rows = [
            ("", *columns),
            ("---",) * (len(columns) + 1),
            *(
                (limit.name, *(values[section.title, limit.name] for values in columns.values()))
                for limit in section.limits
            ),
        ]
        parts.append(f"## {section.title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n")
    return "\n".join(parts)


def columns_of(text: str) -> dict[str, dict[tuple[str, str], str]]:
    """Read the columns back from a page."""
    columns: dict[str, dict[tuple[str, str], str]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif title and line.startswith("|") and not line.startswith("| --- "):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            if name:
                for column, value in zip(columns.values(), cells, strict=True):
                    column[title, name] = value
            else:
                columns = {heading: columns.get(heading, {}) for heading in cells}
    return columns
