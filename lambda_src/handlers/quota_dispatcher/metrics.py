"""What the dashboard and the alarms see, in CloudWatch's embedded metric format."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clocks import Reading
    from .counter import Counter
    from .settings import Settings
    from .store import Item

NAMESPACE = "Breakwater"
COUNTERS = ("Calls", "Failures", "DeadLettered", "Signals", "Writes")


class Metrics:
    """Counts, and writes one line now and then.

    Where a quota has several counters, each says what it holds under its number: their sum is of interest.
    """

    def __init__(self, settings: Settings) -> None:
        self._quota = {"Quota": settings.name}
        self._counter = {"Counter": str(settings.number)} if settings.counters > 1 else {}
        self._counts = dict.fromkeys(COUNTERS, 0)

    def count(self, name: str) -> None:
        """Count one of `COUNTERS`."""
        self._counts[name] += 1

    def flush(self, item: Item, counter: Counter, now: Reading) -> None:
        """Write what was counted since the last time, what waits, and how far every tier is used."""
        backlog = {"Backlog": waiting(item, counter)}
        if self._counter:
            _write(self._quota, {**self._counts}, now)
            _write({**self._quota, **self._counter}, {**backlog}, now)
        else:
            _write(self._quota, {**self._counts, **backlog}, now)
        for window in counter.quota.windows:
            used = counter.quota.used(window)
            share = round(100 * used / window.limit, 1) if window.limit else 100.0
            tier = {**self._quota, **self._counter, "Tier": window.key}
            _write(tier, {"Used": used, "UsedPercent": share}, now)
        self._counts = dict.fromkeys(COUNTERS, 0)


def waiting(item: Item, counter: Counter) -> int:
    """Return how many messages lie on the shelf, those in flight included."""
    return max(0, item.filed - counter.shelf.settled)


def _write(dimensions: dict[str, str], values: dict[str, float], now: Reading) -> None:
    # Amazon CloudWatch User Guide, "Specification: Embedded metric format"
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Percent" if name.endswith("Percent") else "Count"} for name in values],
    }
    about = {"Timestamp": now.wall, "CloudWatchMetrics": [directive]}
    sys.stdout.write(json.dumps({"_aws": about, **dimensions, **values}) + "\n")
    sys.stdout.flush()
