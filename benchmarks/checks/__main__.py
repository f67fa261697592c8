"""Print planted × found for the library's checks and their peers, and the checks' time for large templates."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from . import tools
from .planted import plant
from .speed import speed

if TYPE_CHECKING:
    from .planted import Planted
    from .tools import Said

ROOT = Path(__file__).parents[2]


class Score(NamedTuple):
    """What a tool made of the planted mistakes of a kind.

    Attributes
    ----------
    told_apart
        Found, by a rule that says nothing of the right templates of the kind.
    blanket
        Found, by rules that say the same of right templates.
    """

    told_apart: int
    blanket: int


def score(planted: list[Planted], said: Said) -> Score:
    """Score the templates of one kind: what a tool says of all of them alike, it does not tell apart."""
    silent = {rule for each in planted if not each.wrong for rule in said.get(each.name, ())}
    everywhere = set.intersection(*(set(said.get(each.name, ())) for each in planted))
    found = [said.get(each.name, set()) for each in planted if each.wrong]
    told_apart = sum(bool(rules - silent) for rules in found)
    return Score(told_apart, sum(bool((rules & silent) - everywhere) and not rules - silent for rules in found))


def main(
    peers: Annotated[Path, typer.Option(help="A Python with benchmarks/checks/requirements.txt installed.")] = ROOT
    / ".bench-checks"
    / "bin"
    / "python",
) -> None:
    """Run them all; two minutes."""
    if not peers.exists():
        raise typer.BadParameter(
            f"{peers} is missing: python3 -m venv .bench-checks && "
            ".bench-checks/bin/pip install --requirement benchmarks/checks/requirements.txt"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        planted = plant(path)
        said = {
            "breakwater": tools.ours(path),
            "cfn-lint": tools.cfn_lint(path, peers),
            "checkov": tools.checkov(path, peers),
            **tools.in_the_cdk(path, peers),
        }
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(_table(planted, said))
    console.print(speed())


def _table(planted: list[Planted], said: dict[str, Said]) -> Table:
    kinds: defaultdict[str, list[Planted]] = defaultdict(list)
    for each in planted:
        kinds[each.rule].append(each)
    table = Table(caption="found and told apart from what is right (+ found, but said of right templates as well)")
    for column in ("kind", "planted", *said):
        table.add_column(column)
    sums = dict.fromkeys(said, Score(0, 0))
    for kind, templates in kinds.items():
        scores = {tool: score(templates, found) for tool, found in said.items()}
        sums = {tool: Score(*map(sum, zip(sums[tool], scores[tool], strict=True))) for tool in said}
        table.add_row(kind, str(sum(each.wrong for each in templates)), *(_text(each) for each in scores.values()))
    table.add_section()
    table.add_row("all", str(sum(each.wrong for each in planted)), *(_text(each) for each in sums.values()))
    return table


def _text(score: Score) -> str:
    return f"{score.told_apart}{f' (+{score.blanket})' if score.blanket else ''}" if any(score) else "–"


if __name__ == "__main__":
    typer.run(main)
