"""Users' type checkers let the right calls pass and report each wrong one, on its line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORRECT, WRONG = HERE / "correct_calls.py", HERE / "wrong_calls.py"
MARKED = {number for number, line in enumerate(WRONG.read_text().splitlines(), 1) if line.endswith("# wrong")}


def mypy() -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "mypy", "--cache-dir", "/dev/null", "--no-error-summary", str(CORRECT), str(WRONG)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return {(Path(file).name, int(line)) for file, line in re.findall(r"^(.*\.py):(\d+): error", output, re.MULTILINE)}


def pyright() -> set[tuple[str, int]]:
    program = ROOT / "node_modules" / "pyright" / "index.js"
    command = [
        str(Path(sys.executable).with_name("node")),
        str(program),
        "--outputjson",
        "--pythonpath",
        sys.executable,
    ]
    found = subprocess.run([*command, CORRECT, WRONG], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1)
        for each in json.loads(found)["generalDiagnostics"]
        if each["severity"] == "error"
    }


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_each_wrong_call_is_reported_and_no_right_one(checker: Callable[[], set[tuple[str, int]]]) -> None:
    assert checker() == {(WRONG.name, line) for line in MARKED}
    assert len(MARKED) > 20
