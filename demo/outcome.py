"""What a burst did to a database and to the callers, and the table that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.ledger import Ledger
    from demo.load import Progress

NAMES = {"mariadb": "MariaDB", "postgresql": "PostgreSQL"}


@dataclass(frozen=True)
class Outcome:
    """One burst: against which server, with or without the library's limits, and what came of it."""

    engine: str
    max_connections: int
    budget: int | None
    orders: int
    progress: Progress
    ledger: Ledger
    peak: int
    seconds: float

    @property
    def protected(self) -> bool:
        return self.budget is not None

    @property
    def other_answers(self) -> int:
        return self.progress.answers.total() - self.progress.answers["200"] - self.progress.answers["429"]

    @property
    def broken_promises(self) -> list[str]:
        """What the library promises and did not keep; nothing is promised without it."""
        if self.budget is None:
            return []
        name = NAMES[self.engine]
        broken = []
        if self.ledger.missing:
            broken.append(f"{name}: {self.ledger.missing} of {self.orders} orders are missing")
        if self.ledger.stray_units:
            broken.append(f"{name}: {self.ledger.stray_units} units were sold twice or not at all")
        if self.peak > self.budget:
            broken.append(f"{name}: functions held {self.peak} connections, {self.budget} are their budget")
        return broken


def table(outcomes: Sequence[Outcome]) -> Table:
    """Put the outcomes below each other, with and without."""
    made = Table(title="The same burst on the same handlers, with and without breakwater", title_justify="left")
    made.add_column("Database")
    made.add_column("breakwater")
    for heading in ("orders\nsent", "\nwritten", "\nlate", "in the\nDLQ"):
        made.add_column(heading, justify="right")
    for heading in ("requests\n200", "\n429", "other\nerrors"):
        made.add_column(heading, justify="right")
    for heading in ("connections\nat their peak", "\nbudget", "\nseconds"):
        made.add_column(heading, justify="right")
    for outcome in outcomes:
        answers = outcome.progress.answers
        made.add_row(
            NAMES[outcome.engine],
            "with" if outcome.protected else "without",
            f"{outcome.orders:,}",
            _marked(outcome.ledger.written, good=outcome.ledger.missing == 0),
            _marked(outcome.progress.waiting, good=outcome.progress.waiting == 0),
            _marked(outcome.progress.dead, good=outcome.progress.dead == 0),
            f"{answers['200']:,}",
            f"{answers['429']:,}",
            _marked(outcome.other_answers, good=outcome.other_answers == 0),
            _marked(outcome.peak, good=outcome.peak <= (outcome.budget or outcome.max_connections - 1)),
            "none" if outcome.budget is None else str(outcome.budget),
            f"{outcome.seconds:.0f}",
            end_section=not outcome.protected,
        )
    return made


def _marked(number: int, *, good: bool) -> str:
    return f"[{'green' if good else 'red'}]{number:,}[/]"
