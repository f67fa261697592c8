"""The command as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def breakwater(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Nothing listens there, and nothing is retried: no command of these tests reaches an account.
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "COLUMNS": "200",
    }
    command = [Path(sys.executable).with_name("breakwater"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("command", ["plan", "quota", "redrive"])
def test_help_names_every_command(command: str) -> None:
    assert command in breakwater("--help").stdout


def test_plan_of_what_is_no_assembly_says_what_to_do(tmp_path: Path) -> None:
    done = breakwater("plan", str(tmp_path))
    assert done.returncode == 1
    assert "is no cloud assembly" in done.stderr
    assert "cdk synth" in done.stderr


def test_plan_of_an_app_without_budgets(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"artifacts": {}}', encoding="utf-8")
    done = breakwater("plan", str(tmp_path))
    assert done.returncode == 0
    assert "has no connection budget" in done.stdout


@pytest.mark.parametrize("command", ["quota", "redrive"])
def test_no_answer_is_one_line(command: str) -> None:
    done = breakwater(command, "Shop")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
