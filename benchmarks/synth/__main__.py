"""Measure, show, and write into docs/benchmarks.md."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from .overhead import measure_overhead
from .report import sections, write
from .scaling import SIZES, measure_scaling


def main(
    pairs: Annotated[int, typer.Option(min=2, help="Runs with the library and by hand.")] = 15,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each number of functions.")] = 5,
) -> None:
    """Measure what the library costs at synth; about six minutes on a quiet machine."""
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=pairs + 1 + rounds * len(SIZES))
        started = iter(range(pairs + 2 + rounds * len(SIZES)))

        def advance(description: str) -> None:
            progress.update(task, description=description, completed=next(started))

        found = sections(measure_overhead(pairs, advance), measure_scaling(rounds, advance))
    for section in found:
        console.print(section.terminal())
    write(found)


if __name__ == "__main__":
    typer.run(main)
