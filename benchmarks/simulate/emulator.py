"""The same bursts on the emulator, with real databases, and in the simulation: a table of both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo.demonstration import SERVERS, demonstrate
from demo.outcome import NAMES
from demo.screen import Screen
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.outcome import Outcome

DOCUMENT = Path(__file__).parents[2] / "docs" / "simulate.md"
ORDERS, REQUESTS, POISON = 300, 200, 8
GOAL = 0.1
_HEADER = ("database", "connections, peak", "requests turned away", "dead letters", "refused", "all done after")


def truth_table(engines: Sequence[str] = tuple(SERVERS)) -> list[str]:
    """Measure; some minutes."""
    rows = [f"| {' | '.join(_HEADER)} |", f"|{' --- |' * len(_HEADER)}"]
    screen = Screen(Console(file=sys.stderr))
    burst = {"orders": ORDERS, "requests": REQUESTS, "poison": POISON}
    return [*rows, *(_row(outcome) for outcome in demonstrate(engines, **burst, unprotected=False, screen=screen))]


def _row(outcome: Outcome) -> str:
    predicted = outcome.predicted
    turned_away = outcome.progress.answers.total() - outcome.progress.answers["200"]
    cells = [
        pair(outcome.peak, predicted.connections),
        pair(turned_away, predicted.turned_away),
        pair(outcome.progress.dead, predicted.dead),
        pair(outcome.refused, predicted.refused),
        pair(outcome.seconds, predicted.seconds, " s"),
    ]
    return f"| {NAMES[outcome.engine]} | {' | '.join(cells)} |"


def pair(seen: float, predicted: float, unit: str = "") -> str:
    """Write what was seen and what was predicted; bold where they are more than a tenth, and more than one, apart."""
    text = f"{seen:,.3g} / {predicted:,.3g}{unit}"
    return f"**{text}**" if abs(seen - predicted) > max(1, GOAL * seen) else text
