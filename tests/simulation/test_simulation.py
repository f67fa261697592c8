"""Whatever goes wrong: no window exceeded, nothing lost, nothing buried untried, order kept, and then full speed."""

from __future__ import annotations

import time

from tests.simulation.schedule import run

SECONDS = 75
"""Of one core. Before a release: `python -m tests.simulation --schedules 100000`."""


def test_schedules_of_trouble_break_no_promise() -> None:
    began, seed = time.process_time(), 0
    while time.process_time() - began < SECONDS:
        result = run(seed)
        assert result.good, f"python -m tests.simulation --seed {seed} --schedules 1: {result}"
        seed += 1
    print(f"{seed} schedules")
    assert seed > 50
