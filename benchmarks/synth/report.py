"""The tables, on the terminal and between two markers of docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.table import Table

from . import overhead as one
from . import scaling as many

if TYPE_CHECKING:
    from .overhead import Overhead
    from .scaling import Scaling

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- begin: python -m benchmarks.synth -->", "<!-- end: python -m benchmarks.synth -->"
MEASURES = {"wall": "wall time", "cpu": "CPU time"}


class Section(NamedTuple):
    """A table with a sentence before it."""

    text: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def terminal(self) -> Table:
        """Give it for a terminal."""
        table = Table(*self.header, title=self.text, title_justify="left", title_style="", min_width=60)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Give it for the document."""
        rows = [self.header, ("---",) * len(self.header), *self.rows]
        return f"{self.text}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def sections(overhead: Overhead, scaling: Scaling) -> list[Section]:
    """Put the figures into tables, with the goals beside them."""
    slope, intercept, fitting = scaling.fit("cpu")
    growth = {measure: scaling.growth(measure) for measure in MEASURES}
    return [
        Section(
            f"One function, its database and its queue ({overhead.resources} resources), the whole process; "
            f"{len(overhead.pairs)} pairs, medians.",
            ("", "cdk-breakwater", "raw L2", "ratio in a pair (middle half)", "goal"),
            [_overhead_row(overhead, measure, name) for measure, name in MEASURES.items()],
        ),
        Section(
            f"Many functions on one database, {len(scaling.rounds)} rounds, medians. CPU time: "
            f"{intercept:.1f} s + {slope * 1000:.0f} ms per function (R² {fitting:.3f}).",
            ("functions", *MEASURES.values(), *(f"{name} per function" for name in MEASURES.values()), "goal"),
            [
                *(_scaling_row(scaling, size) for size in many.SIZES),
                (
                    "300 : 100",
                    "",
                    "",
                    *(f"{growth[measure]:.2f}" for measure in MEASURES),
                    f"≤ {many.GOAL}: {_verdict(growth['wall'] <= many.GOAL)}",
                ),
            ],
        ),
    ]


def write(found: list[Section]) -> None:
    """Put the tables between the markers, and leave the rest of the document as it is."""
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    body = "\n\n".join([*(section.markdown() for section in found), _machine()])
    DOCUMENT.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")


def _overhead_row(overhead: Overhead, measure: str, name: str) -> tuple[str, ...]:
    low, middle, high = overhead.ratio(measure)
    return (
        name,
        f"{overhead.middle(0, measure):.2f} s",
        f"{overhead.middle(1, measure):.2f} s",
        f"{middle:.3f} ({low:.3f} to {high:.3f})",
        f"≤ {one.GOAL:.2f}: {_verdict(middle <= one.GOAL)}" if measure == "wall" else "",
    )


def _scaling_row(scaling: Scaling, size: int) -> tuple[str, ...]:
    per_function = ["", ""]
    if size > 1:
        per_function = [f"{scaling.per_function(size, measure) * 1000:.0f} ms" for measure in MEASURES]
    return (str(size), *(f"{scaling.middle(size, measure):.2f} s" for measure in MEASURES), *per_function, "")


def _verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


def _machine() -> str:
    return (
        f"Python {platform.python_version()}, aws-cdk-lib {version('aws-cdk-lib')}, {os.cpu_count()} cores of "
        f"{platform.machine()}. Time per function: what each adds to an app with one."
    )
