"""The demo on a terminal: a line for each step, bars for each burst."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from demo.load import Progress as BurstProgress
    from demo.sessions import Sessions


class Screen:
    """Shows the steps and the bursts of a demonstration."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        started = time.monotonic()
        with self._console.status(f"{text} …"):
            yield
        self._console.print(f"[green]✓[/] {text} [dim]{time.monotonic() - started:.0f} s[/]", highlight=False)

    @contextmanager
    def burst(self, messages: int, requests: int, connections: int) -> Iterator[BurstBars]:
        columns = (
            TextColumn("    {task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self._console) as bars:
            yield BurstBars(bars, messages, requests, connections)


class BurstBars:
    """The bars of one burst."""

    def __init__(self, bars: Progress, messages: int, requests: int, connections: int) -> None:
        self._bars = bars
        self._messages = bars.add_task("messages off the queue", total=messages, note="")
        self._requests = bars.add_task("requests answered", total=requests, note="")
        self._connections = bars.add_task("connections in use", total=connections, note="")

    def show(self, progress: BurstProgress, sessions: Sessions) -> None:
        dead = f"{progress.dead} given up" if progress.dead else ""
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(progress.answers.items()))
        self._bars.update(self._messages, completed=progress.sent - progress.waiting, note=dead)
        self._bars.update(self._requests, completed=progress.answers.total(), note=answers)
        self._bars.update(self._connections, completed=sessions.now, note=f"at most {sessions.peak}")
