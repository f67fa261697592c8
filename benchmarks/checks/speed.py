"""How much processor time the checks take for a large template, beside what it takes to parse and walk it."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.table import Table

from cdk_breakwater.checks import RULES, check
from cdk_breakwater.cli.check_sources import Sources

from .large_templates import databases_and_functions, services

if TYPE_CHECKING:
    from collections.abc import Callable

_RUNS = 3
TEMPLATES: dict[str, dict[str, Any]] = {
    "500 resources of 25 services": services(25),
    "2,000 resources of 100 services": services(100),
    "8,000 resources of 400 services": services(400),
    "500 functions and 100 databases of one network": databases_and_functions(500, 100),
}


class Time(NamedTuple):
    """Processor seconds, the best of a few runs.

    Attributes
    ----------
    check
        To read and check a template, without the time to start Python.
    walk
        To parse it and look at each of its values once.
    """

    check: float
    walk: float


def speed() -> Table:
    """Measure all templates."""
    table = Table(caption="processor time to read and check a template, and to parse it and look at each value once")
    for column in ("template", "check", "parse and walk", "times"):
        table.add_column(column)
    for name, template in TEMPLATES.items():
        time_ = measure(template)
        table.add_row(name, f"{time_.check:.2f} s", f"{time_.walk:.3f} s", f"{time_.check / time_.walk:.0f}")
    return table


def measure(template: dict[str, Any]) -> Time:
    """Measure a template."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.json"
        file.write_text(json.dumps(template, indent=1), encoding="utf-8")
        return Time(_best(lambda: _check(file)), _best(lambda: _walk(json.loads(file.read_text(encoding="utf-8")))))


def _best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_RUNS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def _check(file: Path) -> None:
    sources = Sources(1000, {})
    sources.read([file])
    for assembly in sources.assemblies:
        check(assembly, RULES)


def _walk(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_walk, children))


if __name__ == "__main__":
    Console().print(speed())
