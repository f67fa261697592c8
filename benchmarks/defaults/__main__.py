"""Synthesize, read, and write docs/defaults.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from .column import L2, OURS, SOLUTIONS, column, version
from .page import DOCUMENT, columns_of, page

ROOT = Path(__file__).parents[2]


def main(
    peers: Annotated[Path, typer.Option(help="A Python with benchmarks/defaults/requirements.txt installed.")] = ROOT
    / ".bench-defaults"
    / "bin"
    / "python",
    *,
    ours_only: Annotated[bool, typer.Option(help="Leave the peers' columns as they stand on the page.")] = False,
) -> None:
    """Compare what three libraries set by default; half a minute."""
    if ours_only:
        columns = columns_of(DOCUMENT.read_text(encoding="utf-8")) | {OURS.name: column(OURS)}
    elif peers.exists():
        columns = {
            OURS.name: column(OURS),
            f"{SOLUTIONS.name} {version(SOLUTIONS, str(peers))}": column(SOLUTIONS, str(peers)),
            f"{L2.name} {version(L2)}": column(L2),
        }
    else:
        raise typer.BadParameter(
            f"{peers} is missing: python3 -m venv .bench-defaults && "
            ".bench-defaults/bin/pip install --requirement benchmarks/defaults/requirements.txt"
        )
    text = page(columns)
    DOCUMENT.write_text(text, encoding="utf-8")
    Console().print(Markdown(text))


if __name__ == "__main__":
    typer.run(main)
