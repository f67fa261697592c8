"""Put a table into docs/runtime.md, between the two lines that name the command."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "runtime.md"


def write(command: str, text: str) -> None:
    """Replace what stands between `<!-- begin: command -->` and `<!-- end: command -->`."""
    begin, end = f"<!-- begin: {command} -->", f"<!-- end: {command} -->"
    before, _, rest = DOCS.read_text().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{DOCS.name} has no place for the table: a line {begin} and a line {end}.")
    DOCS.write_text(f"{before}{begin}\n{text}\n{end}{after}")
