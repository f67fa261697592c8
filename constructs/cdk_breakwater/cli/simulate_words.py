"""What was assumed of a burst, and what came of it, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..simulation.entries import Direct, Fifo, Queue, Stream
from ..simulation.quota import Quota
from ..simulation.verdict import count, seconds_text
from .simulated_burst import REFUSED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..simulation.entries import Entry
    from .simulated_burst import Run

_MOST_BOUND = 8


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
    unknown = [
        f"{name}: its max_connections is not in the templates; say --max-connections '{name}=N'" for name in run.unknown
    ]
    rough = [
        f"{stream.name}: steps do not halve a batch that ends at the timeout or without a connection; they may give up "
        "records that would be done"
        for stream in (app.better_followed if run.history.model == "binned" else ())
    ]
    return [*lines, *(f"Note: {line}" for line in (*run.limits.notes, *unknown, *rough))]


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
        peak = f"{name}: {count(came.connections.peak, 'connection')} at the most"
        if server.max_connections is None:
            lines.append(f"{peak}; how many it has is not known here.")
            continue
        of_all = f", {server.max_connections - server.usable:g} of {server.max_connections} are kept for others"
        peak += f" of {server.usable:,.0f}{of_all if server.max_connections != server.usable else ''}"
        refused = came.refused.total
        if server.is_proxy:
            waiting = (
                f"up to {came.waiting.peak:,.0f} invocations wait for one" if came.waiting.peak else "nobody waits"
            )
            lines.append(f"{peak}; {waiting}.")
            continue
        first = f"; it refuses {refused:,.0f}, first after {seconds_text(came.refused.first or 0)}"
        lines.append(f"{peak}{first if came.refused.first is not None else '; it refuses nobody'}.")
    lines += [_quota_text(entry, run) for entry in run.application.entries if isinstance(entry, Quota)]
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
        lines += [
            f"{entry.name}: its tiers need another {seconds_text(entry.seconds_for(waiting))} for those that wait."
            for entry in run.application.entries
            if isinstance(entry, Quota) and entry.is_kept and (waiting := history.entries[entry.name].depth.last) >= 1
        ]
    else:
        lines.append(f"All is done after {seconds_text(history.drained)}.")
    return lines


def _quota_text(quota: Quota, run: Run) -> str:
    came = run.history.entries[quota.name]
    peaks = ", ".join(f"{came.tiers[tier.name].used.peak:,.0f} of {tier.name}" for tier in quota.tiers)
    calls = f"{quota.name}: {came.called.total:,.0f} {'call' if round(came.called.total) == 1 else 'calls'}"
    if not quota.is_kept:
        return f"{calls} that wait for no quota; the provider answers {came.limited.total:,.0f} of them with a 429."
    return f"{calls}, at the most {peaks}; none is answered with a 429."


def largest_text(most: float, total: float) -> str:
    """Say how large a load of so many requests may be."""
    if math.isinf(most):
        return "However large the load was made, no database refused a connection and no message was lost."
    if not most:
        return "However small the load was made, a database refuses somebody or a message is lost."
    return (
        f"The largest load of this shape that no database refuses and that loses nothing: {most:.2g} times this one, "
        f"{most * total:,.0f} in all. It was looked for in steps of a sixteenth."
    )


def _load_text(entry: Entry) -> str:
    load = entry.load
    spikes = [each for each in load.stretches if each.start == each.end]
    rest = [each for each in load.stretches if each.start != each.end]
    parts = [f"{each.first:,.0f} at once after {seconds_text(each.start)}" for each in spikes]
    if rest:
        total, end = sum(each.total for each in rest), max(each.end for each in rest)
        parts.append(f"{total:,.0f}{' at random' if load.at_random else ''} within {seconds_text(end)}")
    kind = "requests"
    if isinstance(entry, Queue | Quota):
        kind = "records" if isinstance(entry, Stream) else "messages"
        kind += f" ({entry.failing:.2g} of them fail each time)" if entry.failing else ""
    if isinstance(entry, Fifo | Stream):
        one = "message group" if isinstance(entry, Fifo) else "key"
        kind += f", each with a {one} of its own," if entry.keys is None else f" of {count(entry.keys, one)}"
    if isinstance(entry, Direct) and not entry.waits:
        kind = "asynchronous events"
    return f"{kind} for {entry.function}: {' and '.join(parts) or 'none'}"
