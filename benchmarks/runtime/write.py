"""Put a table into docs/runtime.md, between the two lines that name the command."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "runtime.md"


def write(name: str, text: str) -> None:
    """Replace what stands between `<!-- begin: name -->` and `<!-- end: name -->`."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    before, _, rest = DOCS.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{DOCS.name} has no place for the table: a line {begin} and a line {end}.")
    DOCS.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")
