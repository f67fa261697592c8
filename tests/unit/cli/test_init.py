"""What `breakwater init` writes works as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cdk_breakwater.cli.main import app

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("starter") / "orders"
    answer = CliRunner().invoke(app, ["init", str(folder)])
    assert answer.exit_code == 0
    commands = [line.strip() for line in answer.stdout.splitlines() if line.startswith("    ")]
    assert commands[0] == f"cd {folder}"
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]["aws-cdk"]
    workflow = (folder / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")
    assert f"npx aws-cdk@{pinned} synth --quiet" in commands
    assert f"npx --yes aws-cdk@{pinned} synth --quiet" in workflow
    return folder


def test_the_cdk_synthesizes_it_and_has_nothing_to_say(folder: Path) -> None:
    environment = {**os.environ, "CDK_VALIDATION": "true"}
    command = ["cdk", "synth", "--quiet", "--no-notices"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).strip() == ""
    checked = CliRunner().invoke(app, ["check", str(folder / "cdk.out"), "--strict"])
    assert (checked.exit_code, checked.stdout) == (0, "0 findings in 1 template.\n")


def test_its_own_test_passes_and_sees_a_change(folder: Path) -> None:
    def passed() -> bool:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0

    assert passed()
    app_file = folder / "app.py"
    code = app_file.read_text(encoding="utf-8")
    app_file.write_text(code.replace('"max_connections": "80"', '"max_connections": "200"'), encoding="utf-8")
    assert not passed()


def test_its_workflow_says_what_the_commands_said(folder: Path) -> None:
    workflow = yaml.safe_load((folder / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    assert [step.partition("--")[0].strip() for step in steps] == [
        "pip install",
        "python -m pytest",
        "npx",
        "breakwater check cdk.out",
    ]
    assert workflow["permissions"] == {"contents": "read"}
    assert ".venv/" in (folder / ".gitignore").read_text(encoding="utf-8")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "cdk.json").write_text("mine", encoding="utf-8")
    answer = CliRunner().invoke(app, ["init", str(tmp_path)])
    assert answer.exit_code == 1
    assert "cdk.json would be overwritten" in " ".join(answer.stderr.split())
    assert [file.name for file in tmp_path.iterdir()] == ["cdk.json"]
    assert (tmp_path / "cdk.json").read_text(encoding="utf-8") == "mine"
