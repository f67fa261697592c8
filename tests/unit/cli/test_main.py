"""The command as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from breakwater_runtime._version import VERSION

PLAN = {
    "path": "Shop/Db",
    "maxConnections": 80,
    "basis": "max_connections in the parameter group",
    "reserved": 12,
    "external": 0,
    "utilization": 0.8,
    "shared": 54,
    "shares": [
        {"name": name, "concurrency": 16, "connections": 16, "reason": "weight 1, at least 2", "function": name}
        for name in ("Shop/OrderService/Intake/Worker[1]", "Shop/Reports")
    ],
}


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    metadata = {"/Shop/Db/ConnectionBudget": [{"type": "cdk-breakwater:budget", "data": PLAN}]}
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "Shop.json"}, "metadata": metadata}
    manifest = {"artifacts": {"Shop": stack}}
    (tmp_path / "Shop.json").write_text("{}", encoding="utf-8")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return tmp_path


def breakwater(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # Nothing listens there, and nothing is retried: no command of these tests reaches an account.
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "COLUMNS": "200",
        **variables,
    }
    command = [Path(sys.executable).with_name("breakwater"), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=environment)


@pytest.mark.parametrize("command", ["plan", "quota", "redrive", "drill"])
def test_help_names_every_command(command: str) -> None:
    assert command in breakwater("--help").stdout


def test_plan_of_what_is_no_assembly_says_what_to_do(tmp_path: Path) -> None:
    done = breakwater("plan", str(tmp_path))
    assert done.returncode == 1
    assert "is not a cloud assembly" in done.stderr
    assert "cdk synth" in done.stderr


def test_plan_of_an_app_without_budgets(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"artifacts": {}}', encoding="utf-8")
    done = breakwater("plan", str(tmp_path))
    assert done.returncode == 0
    assert "has no connection budget" in done.stdout


@pytest.mark.parametrize(
    ("payload", "said", "code"),
    [("{", "--payload: it is not JSON", 2), ("@nowhere.json", "nowhere.json", 2), ("{}", "is not a cloud assembly", 1)],
)
def test_a_drill_of_nothing_is_one_line(tmp_path: Path, payload: str, said: str, code: int) -> None:
    done = breakwater("drill", "Shop", "--payload", payload, "--assembly", str(tmp_path))
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["quota", "redrive"])
def test_no_answer_is_one_line(command: str) -> None:
    done = breakwater(command, "Shop")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("code_page", ["ascii", "cp1252", "cp437", "utf-8"])
@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_a_plan_fits_every_code_page_and_keeps_names_whole(assembly: Path, code_page: str, columns: str) -> None:
    command = [Path(sys.executable).with_name("breakwater"), "plan", str(assembly)]
    environment = {**os.environ, "COLUMNS": columns, "PYTHONIOENCODING": code_page}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode(code_page)
    for share in PLAN["shares"]:
        assert share["name"] in shown
    assert "54 to share" in shown
    assert "?" not in shown


def test_the_version() -> None:
    assert breakwater("--version").stdout == f"cdk-breakwater {VERSION}\n"


def test_a_plan_as_json(assembly: Path) -> None:
    (found,) = json.loads(breakwater("plan", str(assembly), "--format", "json").stdout)
    assert (found["path"], found["max_connections"], found["shared"]) == ("Shop/Db", 80, 54)
    assert [holder["concurrency"] for holder in found["holders"]] == [16, 16]


def test_the_manifest_stands_for_its_folder(assembly: Path) -> None:
    named = breakwater("plan", str(assembly / "manifest.json"))
    assert (named.returncode, named.stdout) == (0, breakwater("plan", str(assembly)).stdout)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"artifacts": []}',
        '{"artifacts": {"Shop": 1}}',
        '{"artifacts": {"Shop": {"metadata": {"/a": [{"type": "cdk-breakwater:budget", "data": {}}]}}}}',
        '{"artifacts": {"Shop": {"additionalMetadataFile": "gone.json"}}}',
        "\xff",
    ],
)
def test_a_damaged_manifest_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    done = breakwater("plan", str(tmp_path), COLUMNS="500")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "damaged" in done.stderr or "gone.json" in done.stderr


def test_a_damaged_old_assembly_is_one_line(assembly: Path) -> None:
    old = assembly.with_name("old")
    old.mkdir()
    (old / "manifest.json").write_text("{", encoding="utf-8")
    done = breakwater("plan", str(assembly), "--diff", str(old), COLUMNS="500")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert f"{old}: it is damaged" in done.stderr


AWS_COMMANDS = [
    ("quota", "Shop"),
    ("redrive", "Shop"),
    ("raise", "Shop"),
    ("plan", "--deployed"),
    ("measure-deployments", "--yes"),
]


@pytest.mark.parametrize("command", AWS_COMMANDS)
def test_region_and_profile(command: tuple[str, ...], assembly: Path) -> None:
    arguments = [*command, *([str(assembly)] if command[0] == "plan" else [])]
    done = breakwater(*arguments, "--profile", "nobody", "--region", "eu-west-1")
    assert done.returncode == 1
    assert "(nobody) could not be found" in done.stderr
    configuration = assembly / "config"
    configuration.write_text("[profile shop]\nregion = us-east-1\n", encoding="utf-8")
    environment = {"AWS_CONFIG_FILE": str(configuration), "AWS_SHARED_CREDENTIALS_FILE": str(configuration)}
    done = breakwater(*arguments, "--profile", "shop", **environment)
    assert "nobody" not in done.stderr
    assert "Traceback" not in done.stderr
