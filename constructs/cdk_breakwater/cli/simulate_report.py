"""What a person reads of a burst, and what a program does."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..simulation.application import Api, Direct, Queue
from ..simulation.verdict import seconds_text
from .simulated_burst import REFUSED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import RenderableType

    from ..simulation.history import Counts, Levels
    from .simulated_burst import Run

_SPARKS = " ▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 24
_MOST_BOUND = 8


def report(runs: list[Run], most: float | None, rows: int) -> Group:
    """Lay it out for a terminal: what was assumed, each run over time, and the verdict last.

    Parameters
    ----------
    runs
        The app's, then those beside it.
    most
        How many times the load may come; None where that was not asked.
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
    if most is not None:
        parts.append(Text(largest_text(most)))
    return Group(*parts)


def assumptions(run: Run) -> list[str]:
    """Say what no template tells, and what is not simulated."""
    app = run.application
    lasting = {name: function.duration for name, function in app.functions.items()}
    spread = next((duration.variation for duration in lasting.values()), 0.0)
    times = _times_text({name: duration.mean for name, duration in lasting.items()})
    starts = _times_text({name: function.cold_start for name, function in app.functions.items()})
    how = "each request followed" if run.history.model == "events" else f"steps of {run.history.step:.3g} s"
    resting = f"an environment rests {seconds_text(app.idle)} with its connections before it ends"
    lines = [
        f"A request or message takes {times}{f' ± {spread:.0%}' if spread else ''}, a batch as long as its messages "
        f"one after the other; a cold start {starts}, a refused connection "
        f"{REFUSED_SECONDS:g} s; {resting}. Computed by {how}.",
        *(f"{entry.name}: {_load_text(entry)}" for entry in app.entries),
    ]
    return [*lines, *(f"Note: {line}" for line in run.limits.notes)]


def _times_text(times: Mapping[str, float]) -> str:
    """Write a time of each function, once where they are alike."""
    names: dict[float, list[str]] = {}
    for name, time in times.items():
        names.setdefault(time, []).append(name)
    if len(names) == 1:
        return seconds_text(next(iter(names)))
    return ", ".join(f"{seconds_text(time)} ({' and '.join(of)})" for time, of in names.items())


def verdict(run: Run) -> list[str]:
    """Say in words what happened: to each database, by which limit first, and until when."""
    lines = []
    for name, server in run.application.servers.items():
        came = run.history.servers[name]
        peak = f"{name}: {came.connections.peak:,.0f} connections at the most"
        if server.max_connections is None:
            lines.append(f"{peak}; how many it has is not known here.")
            continue
        of_all = f", {server.max_connections - server.usable:g} of {server.max_connections} are kept for others"
        peak += f" of {server.usable:,.0f}{of_all if server.max_connections != server.usable else ''}"
        refused = came.refused.total
        first = f"; it refuses {refused:,.0f}, first after {seconds_text(came.refused.first or 0)}"
        lines.append(f"{peak}{first if came.refused.first is not None else '; it refuses nobody'}.")
    if run.bound:
        one, *others = run.bound
        lines.append(
            f"The first limit that binds, after {seconds_text(one.at)}: {one.limit} ({one.resource}): {one.effect}."
        )
        lines += [
            f"Then, after {seconds_text(each.at)}: {each.limit} ({each.resource}): {each.effect}."
            for each in others[:_MOST_BOUND]
        ]
    else:
        lines.append("No limit binds.")
    history = run.history
    if history.drained is None:
        lines.append(f"After {seconds_text(history.seconds)}, {history.left:,.0f} are still not done.")
    else:
        lines.append(f"All is done after {seconds_text(history.drained)}.")
    return lines


def largest_text(most: float) -> str:
    """Say how large the load may be."""
    if math.isinf(most):
        return "However large the load was made, no database refused a connection and no message was lost."
    if not most:
        return "However small the load was made, a database refuses somebody or a message is lost."
    return f"The largest load of this shape that no database refuses and that loses nothing: {most:.2g} times this one."


def as_json(runs: list[Run], most: float | None) -> str:
    """Give one object: the runs, with their limits, series and verdicts."""
    found: dict[str, Any] = {"runs": [_object(run) for run in runs]}
    if most is not None:
        found["largest_factor"] = most if math.isfinite(most) else None
    return json.dumps(found, indent=2)


def _object(run: Run) -> dict[str, Any]:
    app, history = run.application, run.history
    return {
        "title": run.title,
        "model": history.model,
        "step": history.step,
        "seconds": history.seconds,
        "drained": history.drained,
        "left": history.left,
        "harmful": run.is_harmful,
        "verdict": verdict(run),
        "assumptions": assumptions(run),
        "bindings": [vars(binding) for binding in run.bound],
        "entries": {
            entry.name: {
                "kind": type(entry).__name__.lower(),
                "function": entry.function,
                **{what: getattr(history.entries[entry.name], what).total for what in _COUNTS},
                "depth": _series(history.entries[entry.name].depth, run),
                "age": _series(history.entries[entry.name].age, run),
            }
            for entry in app.entries
        },
        "functions": {
            name: {
                "reserved": function.reserved,
                "concurrency": _series(history.functions[name].concurrency, run),
                "environments": _series(history.functions[name].environments, run),
                "timeouts": history.functions[name].timeouts.total,
            }
            for name, function in app.functions.items()
        },
        "servers": {
            name: {
                "max_connections": server.max_connections,
                "usable": server.usable if math.isfinite(server.usable) else None,
                "connections": _series(history.servers[name].connections, run),
                "refused": history.servers[name].refused.total,
                "unavailable": history.servers[name].unavailable.total,
            }
            for name, server in app.servers.items()
        },
    }


_COUNTS = ("arrivals", "done", "limited", "throttled", "failed", "lost")
_POINTS = 200


def _series(levels: Levels, run: Run) -> dict[str, Any]:
    return {"peak": levels.peak, "every": run.history.seconds / _POINTS, "values": highest(levels, run, _POINTS)}


def highest(levels: Levels, run: Run, parts: int) -> list[float]:
    """Give the highest value in each of some parts of the time."""
    return [_peak(levels, start, end, run) for start, end in _times(run, parts)]


def counted(counts: Counts, run: Run, parts: int) -> list[float]:
    """Give how often something happened in each of some parts of the time."""
    step = run.history.step
    return [
        sum(counts.values[int(start / step) : max(int(start / step) + 1, int(end / step))])
        for start, end in _times(run, parts)
    ]


def _times(run: Run, parts: int) -> list[tuple[float, float]]:
    """Divide the time into parts of whole steps, as far as there are so many."""
    steps = max(1, math.ceil(run.history.seconds / run.history.step) + 1)
    parts = min(parts, steps)
    edges = [round(number * steps / parts) * run.history.step for number in range(parts + 1)]
    return [(edges[number], edges[number + 1]) for number in range(parts)]


def _peak(levels: Levels, start: float, end: float, run: Run) -> float:
    first, last = round(start / run.history.step), round(end / run.history.step)
    known = levels.values[first:last]
    return max(known) if known else levels.last


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
    for number, (_, end) in enumerate(_times(run, rows)):
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
    for name, function in app.functions.items():
        levels = history.functions[name].concurrency
        limit = f"reserved {function.reserved}" if function.reserved is not None else "no reservation"
        table.add_row(f"{name}: concurrency", _spark(levels, run), f"{levels.peak:,.0f}", limit)
    for name, server in app.servers.items():
        levels = history.servers[name].connections
        limit = "unknown" if server.max_connections is None else f"{server.usable:,.0f} for functions"
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


def _entry_limit(entry: Queue | Direct) -> str:
    if isinstance(entry, Direct):
        return "Lambda's own queue"
    most = f"MaximumConcurrency {entry.maximum_concurrency}" if entry.maximum_concurrency else "no MaximumConcurrency"
    return f"{most}, batches of {entry.batch_size}"


def _load_text(entry: Api | Direct | Queue) -> str:
    load = entry.load
    spikes = [each for each in load.stretches if each.start == each.end]
    rest = [each for each in load.stretches if each.start != each.end]
    parts = [f"{each.first:,.0f} at once after {seconds_text(each.start)}" for each in spikes]
    if rest:
        total, end = sum(each.total for each in rest), max(each.end for each in rest)
        parts.append(f"{total:,.0f}{' at random' if load.at_random else ''} within {seconds_text(end)}")
    kind = "requests"
    if isinstance(entry, Queue):
        kind = f"messages ({entry.failing:.2g} of them fail each time)" if entry.failing else "messages"
    if isinstance(entry, Direct) and not entry.waits:
        kind = "asynchronous events"
    return f"{kind} for {entry.function}: {' and '.join(parts) or 'none'}"


def _style(line: str, run: Run) -> str:
    bad = any(each.harmful and each.effect in line for each in run.bound) or "; it refuses " in line
    return "red" if bad and "refuses nobody" not in line else ""


def _cell(value: float, how: str) -> str:
    return seconds_text(value) if how == "s" else format(value, how)


def _sum(series: Iterable[list[float]]) -> list[float]:
    return [sum(each) for each in zip(*series, strict=True)]
