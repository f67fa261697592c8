"""Measure speed, memory and agreement, and write the tables into docs/benchmarks.md."""

from __future__ import annotations

import math
import platform
import sys
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.simulation.bursts import api, application, direct, queue
from tests.unit.simulation.test_models_agree import BURSTS

from cdk_breakwater.simulation.entries import Bucket
from cdk_breakwater.simulation.load import constant, spike
from cdk_breakwater.simulation.run import Model, simulate

if TYPE_CHECKING:
    from cdk_breakwater.simulation.application import Application
    from cdk_breakwater.simulation.history import History

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
ROUNDS = 3
HOUR = 3_600


def speeds() -> dict[str, tuple[Application, float]]:
    """Give what is measured, and how long it goes on after the last request."""
    buckets = Bucket("stage", 200, 100), Bucket("account", 10_000, 5_000)
    both = (queue(constant(1e6, HOUR)), api(constant(1e6, HOUR), *buckets))
    return {
        "an hour at 1,000,000/s to an API": (application(api(constant(1e6, HOUR), *buckets), reserved=12), HOUR),
        "an hour at 1,000,000/s to a queue, and an hour after it": (
            application(queue(constant(1e6, HOUR)), reserved=12),
            HOUR,
        ),
        "both": (application(*both, reserved=12), HOUR),
        "200,000 messages at once, each followed": (application(queue(spike(2e5)), reserved=12), HOUR),
        "100,000 requests in ten minutes, each followed": (
            application(direct(constant(100_000 / 600, 600)), reserved=40, usable=40),
            HOUR,
        ),
    }


def speed_table() -> list[str]:
    """Measure time in rounds, and memory in one more, since watching it takes time."""
    rows = ["| burst | model | CPU time | memory | goal |", "| --- | --- | --- | --- | --- |"]
    for name, (burst, patience) in speeds().items():
        seconds = min(_seconds(burst, patience) for _ in range(ROUNDS))
        tracemalloc.start()
        history = simulate(burst, patience=patience)
        memory = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        goal = ""
        if "hour" in name:
            goal = f"< 5 s, < 500 MB: {'reached' if seconds < 5 and memory < 500 else 'not reached'}"
        rows.append(f"| {name} | {history.model} | {seconds:.1f} s | {memory:.0f} MB | {goal} |")
    return rows


def _seconds(burst: Application, patience: float) -> float:
    begun = time.process_time()
    simulate(burst, patience=patience)
    return time.process_time() - begun


def agreement_table() -> list[str]:
    """Put the figures of both models beside each other."""
    rows = [
        "| burst | done | turned away | lost | connections, peak | refused | all done after |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, make in BURSTS.items():
        burst = make()
        exact, binned = (simulate(burst, model=model, seed=3) for model in (Model.EVENTS, Model.BINNED))
        cells = [
            f"{one:,.0f} / {other:,.0f}" if one or round(other) else "0"
            for one, other in zip(_figures(exact), _figures(binned), strict=True)
        ]
        drained = f"{exact.drained or math.nan:.1f} s / {binned.drained or math.nan:.1f} s"
        rows.append(f"| {name} | {' | '.join(cells)} | {drained} |")
    return rows


def _figures(history: History) -> list[float]:
    (entry,), (server,) = history.entries.values(), history.servers.values()
    return [
        entry.done.total,
        entry.limited.total + entry.throttled.total,
        entry.lost.total,
        server.connections.peak,
        server.refused.total,
    ]


def main() -> None:
    """Measure and write: about a minute, or with ``--emulator`` some, for the agreement with real databases.

    ``--environments`` holds it against what AWS Lambda was measured to do.
    """
    if "--emulator" in sys.argv[1:]:
        from .emulator import DOCUMENT as TRUTH
        from .emulator import truth_table

        _write(TRUTH, "python -m benchmarks.simulate --emulator", truth_table())
    if {"--emulator", "--sources"} & set(sys.argv[1:]):
        from .emulator import DOCUMENT as TRUTH
        from .sources import sources_table

        _write(TRUTH, "python -m benchmarks.simulate --sources", sources_table())
        return
    if "--environments" in sys.argv[1:]:
        from .environments import DOCUMENT as TRUTH
        from .environments import environments_table

        _write(TRUTH, "python -m benchmarks.simulate --environments", environments_table())
        return
    machine = f"Python {platform.python_version()}, one core of {platform.machine()}, the best of {ROUNDS} rounds."
    lines = [*speed_table(), "", machine, "", "Followed one by one / in steps:", "", *agreement_table()]
    _write(DOCUMENT, "python -m benchmarks.simulate", lines)


def _write(document: Path, command: str, lines: list[str]) -> None:
    """Put a table into a page, between the comments that name its command."""
    begin, end = f"<!-- begin: {command} -->", f"<!-- end: {command} -->"
    text = "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    page = document.read_text(encoding="utf-8")
    before, after = page.split(begin)[0], page.split(end)[1]
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
