"""The demo's smaller form: the real templates, deployed by the real CLI, over real databases under a burst."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from demo.demonstration import demonstrate
from demo.processes import no_child_left
from demo.screen import Screen
from rich.console import Console

if TYPE_CHECKING:
    from demo.outcome import Outcome

REPOSITORY = Path(__file__).parents[2]
ORDERS, REQUESTS = 100, 150


@pytest.fixture(params=["mariadb", "postgresql"])
def outcome(request: pytest.FixtureRequest) -> Outcome:
    screen = Screen(Console(file=io.StringIO()))
    (outcome,) = demonstrate([request.param], orders=ORDERS, requests=REQUESTS, unprotected=False, screen=screen)
    return outcome


def test_a_burst_loses_no_order_and_stays_within_the_budget(outcome: Outcome) -> None:
    assert outcome.ledger.written == ORDERS
    assert outcome.ledger.stray_units == 0
    assert (outcome.progress.waiting, outcome.progress.dead) == (0, 0)
    # (20 connections - what the engine reserves) x 0.8
    assert outcome.budget == {"mariadb": 12, "postgresql": 6}[outcome.engine]
    assert 2 <= outcome.peak <= (outcome.budget or 0)
    assert outcome.refused == 0
    assert outcome.progress.answers.total() == REQUESTS
    assert outcome.progress.answers["200"] > 0
    assert outcome.progress.answers["429"] > 0, "100 requests at once are more than the burst that is allowed"
    assert outcome.broken_promises == []
    # What `breakwater simulate` says of the same template, arrivals and durations.
    turned_away = REQUESTS - outcome.progress.answers["200"]
    assert outcome.predicted.connections == pytest.approx(outcome.peak, abs=1)
    assert outcome.predicted.turned_away == pytest.approx(turned_away, rel=0.1)
    assert (outcome.predicted.dead, outcome.predicted.refused) == (0, 0)
    assert outcome.predicted.seconds == pytest.approx(outcome.seconds, rel=0.25)


def test_a_child_that_nobody_holds_is_ended_with_the_block() -> None:
    with no_child_left():
        pid = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGINT, "✓ Deploy Protected-postgresql"), (signal.SIGTERM, "✓ Start postgresql")]
)
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    command = [sys.executable, "-u", "-m", "demo", "--engine", "postgresql", "--protected-only"]
    demo = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert demo.stdout is not None
        said = ""
        while moment not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        started = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(number)
        rest, _ = demo.communicate(timeout=90)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 128 + number
    assert "everything that the demo started has ended" in said + rest
    assert started, "the demo had started nothing yet"
    assert [process for process in started if process.is_running()] == []
    assert [path.name for path in tmp_path.iterdir()] == []
