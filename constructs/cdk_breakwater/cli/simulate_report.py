"""What a person reads of a burst in a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..simulation.entries import Api, Direct, Fifo, Queue, Stream
from ..simulation.quota import Quota
from ..simulation.verdict import count, seconds_text
from .simulate_series import counted, highest, times
from .simulate_size import size_text
from .simulate_words import assumptions, largest_text, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from ..simulation.history import Levels
    from .simulate_answers import Answers
    from .simulated_burst import Run

_SPARKS = " ▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 24


def report(runs: list[Run], answers: Answers, rows: int) -> Group:
    """Lay it out for a terminal: what was assumed, each run over time, and the verdict last.

    Parameters
    ----------
    runs
        The app's, then those beside it.
    answers
        To what else was asked.
    rows
        Of the table over time.
    """
    parts: list[RenderableType] = [Text(line, style="dim") for line in assumptions(runs[0])]
    for run in runs:
        parts += ["", Text(run.title, style="bold"), _over_time(run, rows), _by_resource(run)]
    if len(runs) > 1:
        parts += ["", _beside(runs)]
    for run in runs:
        parts += ["", Text(f"Verdict: {run.title}", style="bold")]
        parts += [Text(line, style=_style(line, run)) for line in verdict(run)]
    if answers.largest is not None:
        parts.append(Text(largest_text(answers.largest, runs[0].application.total)))
    if answers.sizes is not None:
        nothing = "There is nothing to size: no function holds connections of a database without a proxy."
        parts += [Text(size_text(each)) for each in answers.sizes] or [Text(nothing)]
    return Group(*parts)


def _over_time(run: Run, rows: int) -> Table:
    history, app = run.history, run.application
    table = Table(title_justify="left")
    entries = list(history.entries.values())
    columns: list[tuple[str, list[float], str]] = [
        ("arrivals", _sum(counted(entry.arrivals, run, rows) for entry in entries), ",.0f"),
        ("waiting", _sum(highest(entry.depth, run, rows) for entry in entries), ",.0f"),
        ("age", [max(each) for each in zip(*(highest(entry.age, run, rows) for entry in entries), strict=True)], "s"),
        ("concurrency", highest(history.concurrency, run, rows), ",.0f"),
    ]
    for name, server in app.servers.items():
        of = "" if server.max_connections is None else f" of {server.usable:,.0f}"
        columns.append((f"{name}{of}", highest(history.servers[name].connections, run, rows), ",.0f"))
    columns += [
        ("refused", _sum(counted(each.refused, run, rows) for each in history.servers.values()), ",.0f"),
        ("429", _sum(counted(entry.limited, run, rows) for entry in entries), ",.0f"),
        ("no room", _sum(counted(entry.throttled, run, rows) for entry in entries), ",.0f"),
        ("lost", _sum(counted(entry.lost, run, rows) for entry in entries), ",.0f"),
    ]
    columns = [each for each in columns if any(each[1]) or each[0] in ("arrivals", "concurrency")]
    table.add_column("until", justify="right", no_wrap=True)
    for name, _, _ in columns:
        table.add_column(name, justify="right")
    for number, (_, end) in enumerate(times(run, rows)):
        cells = [_cell(values[number], how) if number < len(values) else "0" for _, values, how in columns]
        table.add_row(seconds_text(end), *cells)
    return table


def _by_resource(run: Run) -> Table:
    history, app = run.history, run.application
    table = Table(box=None, pad_edge=False)
    for name in ("", "over time", "peak", "limit"):
        table.add_column(name, justify="right" if name == "peak" else "left", no_wrap=name != "limit")
    for entry in app.entries:
        if not isinstance(entry, Api) and history.entries[entry.name].depth.peak:
            depth = history.entries[entry.name].depth
            table.add_row(f"{entry.name}: waiting", _spark(depth, run), f"{depth.peak:,.0f}", _entry_limit(entry))
        if isinstance(entry, Quota) and entry.is_kept:
            for tier in entry.tiers:
                used = history.entries[entry.name].tiers[tier.name].used
                table.add_row(f"{entry.name}: used", _spark(used, run), f"{used.peak:,.0f}", tier.name)
    for name, function in app.functions.items():
        levels = history.functions[name].concurrency
        limit = f"reserved {function.reserved}" if function.reserved is not None else "no reservation"
        table.add_row(f"{name}: concurrency", _spark(levels, run), f"{levels.peak:,.0f}", limit)
    for name, server in app.servers.items():
        levels = history.servers[name].connections
        limit = "unknown" if server.max_connections is None else f"{server.usable:,.0f} for functions"
        limit = "pool" if server.is_proxy else limit
        because = run.limits.because.get(name, "")
        table.add_row(f"{name}: connections", _spark(levels, run), f"{levels.peak:,.0f}", f"{limit} ({because})")
    return table


def _beside(runs: list[Run]) -> Table:
    """Put the figures of several runs next to each other."""
    table = Table(title="Beside each other", title_justify="left")
    table.add_column("")
    for run in runs:
        table.add_column(run.title, justify="right")

    def total(what: str) -> list[str]:
        return [f"{sum(getattr(each, what).total for each in run.history.entries.values()):,.0f}" for run in runs]

    names = list(dict.fromkeys(name for run in runs for name in run.history.servers))
    for name in names:
        peaks = [run.history.servers.get(name) for run in runs]
        table.add_row(
            f"{name}: connections, peak", *(f"{each.connections.peak:,.0f}" if each else "" for each in peaks)
        )
        table.add_row(f"{name}: refused", *(f"{each.refused.total:,.0f}" if each else "" for each in peaks))
    table.add_row("concurrency, peak", *(f"{run.history.concurrency.peak:,.0f}" for run in runs))
    for label, what in (("done", "done"), ("429", "limited"), ("no room", "throttled"), ("lost", "lost")):
        table.add_row(label, *total(what))
    drained = [run.history.drained for run in runs]
    table.add_row("all done after", *("not" if each is None else seconds_text(each) for each in drained))
    return table


def _spark(levels: Levels, run: Run) -> str:
    values = highest(levels, run, _SPARK_WIDTH)
    top = max(values, default=0.0)
    return "".join(_SPARKS[math.ceil(value / top * (len(_SPARKS) - 1))] if top else " " for value in values)


def _entry_limit(entry: Queue | Direct | Quota) -> str:
    if isinstance(entry, Quota):
        return f"{len(entry.tiers)} {'tier' if len(entry.tiers) == 1 else 'tiers'}, parallelism {entry.parallelism}"
    if isinstance(entry, Direct):
        return "Lambda's own queue"
    if isinstance(entry, Stream):
        return f"{count(entry.most_batches, 'lane')}, batches of {entry.batch_size}"
    most = f"MaximumConcurrency {entry.maximum_concurrency}" if entry.maximum_concurrency else "no MaximumConcurrency"
    groups = f", {count(entry.keys, 'message group')}" if isinstance(entry, Fifo) and entry.keys is not None else ""
    return f"{most}, batches of {entry.batch_size}{groups}"


def _style(line: str, run: Run) -> str:
    bad = any(each.harmful and each.effect in line for each in run.bound) or "; it refuses " in line
    return "red" if bad and "refuses nobody" not in line else ""


def _cell(value: float, how: str) -> str:
    return seconds_text(value) if how == "s" else format(value, how)


def _sum(series: Iterable[list[float]]) -> list[float]:
    return [sum(each) for each in zip(*series, strict=True)]
