"""What a burst did to a database and to the callers, and the table that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.ledger import Ledger
    from demo.load import Progress
    from demo.prediction import Prediction

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
    refused: int
    seconds: float
    predicted: Prediction

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
    """Put the outcomes side by side, with and without."""
    made = Table(title="The same burst, with breakwater and without", title_justify="left", header_style="")
    made.add_column()
    for outcome in outcomes:
        made.add_column(f"{NAMES[outcome.engine]}\n{'with' if outcome.protected else 'without'}", justify="right")
    for label, cell in _ROWS.items():
        made.add_row(label, *(cell(outcome) for outcome in outcomes), end_section=label in _LAST_OF_A_SECTION)
    return made


def _judged(number: int, *, good: bool) -> str:
    return f"[{'green' if good else 'red'}]{number:,}[/]"


_ROWS: dict[str, Callable[[Outcome], str]] = {
    "orders sent": lambda outcome: f"{outcome.orders:,}",
    "written, once each": lambda outcome: _judged(outcome.ledger.written, good=not outcome.ledger.missing),
    "in the dead-letter queue": lambda outcome: _judged(outcome.progress.dead, good=not outcome.progress.dead),
    "requests answered with 200": lambda outcome: f"{outcome.progress.answers['200']:,}",
    "refused with 429": lambda outcome: f"{outcome.progress.answers['429']:,}",
    "other errors": lambda outcome: _judged(outcome.other_answers, good=not outcome.other_answers),
    "connections of functions, peak": lambda outcome: _judged(outcome.peak, good=outcome.peak <= (outcome.budget or 0)),
    "their budget": lambda outcome: "none" if outcome.budget is None else f"{outcome.budget:,}",
    "refused by the database": lambda outcome: _judged(outcome.refused, good=not outcome.refused),
    "seconds": lambda outcome: f"{outcome.seconds:.0f}",
}
_LAST_OF_A_SECTION = ("in the dead-letter queue", "other errors", "refused by the database")
