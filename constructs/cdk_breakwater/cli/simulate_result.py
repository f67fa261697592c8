"""What a program reads of a burst."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from .simulate_series import highest
from .simulate_words import assumptions, verdict

if TYPE_CHECKING:
    from ..simulation.history import Levels
    from .simulate_answers import Answers
    from .simulated_burst import Run


def as_json(runs: list[Run], answers: Answers) -> str:
    """Give one object: the runs, with their limits, series and verdicts."""
    found: dict[str, Any] = {"runs": [_object(run) for run in runs]}
    if answers.largest is not None:
        found["largest_factor"] = answers.largest if math.isfinite(answers.largest) else None
    if answers.sizes is not None:
        found["sizes"] = [vars(each) for each in answers.sizes]
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
                "tiers": {
                    name: {"peak": tier.used.peak, "held_back": tier.held_back}
                    for name, tier in history.entries[entry.name].tiers.items()
                },
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
                "borrow_timeout": server.borrow_timeout,
                "waiting": history.servers[name].waiting.peak,
                "unavailable": history.servers[name].unavailable.total,
            }
            for name, server in app.servers.items()
        },
    }


_COUNTS = ("arrivals", "called", "done", "limited", "throttled", "failed", "lost")
_POINTS = 200


def _series(levels: Levels, run: Run) -> dict[str, Any]:
    return {"peak": levels.peak, "every": run.history.seconds / _POINTS, "values": highest(levels, run, _POINTS)}
