"""A virtual environment with the wheel, on one Python and one end of the ranges in pyproject.toml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
APP = Path(__file__).with_name("app.py")
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
ENDS = {"lowest": "lowest-direct", "highest": "highest"}
"""The ends of the ranges, as uv calls them."""
CONCURRENCY = {
    "Writer": 47,
    "Reader": 13,
    "Existing": 10,
    "StandardDoorResults": 5,
    "Public": 14,
    "Data": 7,
    "Documents": 20,
    "DatabaseAdministration8c5bf5c2Function": 1,
    "Proxied": 75,
    "Readers": 104,
}
"""The reserved concurrency of the app's functions, whatever the versions.

Instance: (112 - 12 of PostgreSQL's own) x 0.8 = 80, of which 20 for Existing, whose 10 count twice; Reader has what the
cluster leaves it, and Writer the rest. Cluster: 135 at 4 ACU of Aurora MySQL; 70 % of it, 94, are the proxy's, x 0.8;
of the rest, (135 - 5 - 94) x 0.8 = 28, 1 makes users, and Public and Reader divide 27. Its readers: (135 - 5) x 0.8.
Atlas: (60 - 10) x 0.8, two connections each. Data and the front door have what the app gives them.
"""


def find_python(version: str) -> str | None:
    """Find an interpreter among those of pyenv, on PATH and of uv; None where there is none."""
    if own := sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        return str(own[-1])
    command = [sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


class Failure(Exception):  # noqa: N818 -- it is what the table shows
    """A command failed; the message is the end of what it said."""


class Environment(NamedTuple):
    """Where the wheel is installed."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "venv" / "bin" / "python"

    def create(self, python: str) -> None:
        """Make it, empty but for pip, from an interpreter."""
        self._uv("venv", "--seed", "--python", python, str(self.folder / "venv"))

    def install(self, wheel: Path, end: str) -> str:
        """Install the wheel and one end of its dependencies; give those of aws-cdk-lib, constructs and jsii."""
        install = ["pip", "install", "--python", str(self.python)]
        self._uv(*install, "--resolution", ENDS[end], "--requirements", str(ROOT / "pyproject.toml"))
        self._uv(*install, "--no-deps", str(wheel))
        listed = json.loads(self._uv("pip", "list", "--python", str(self.python), "--format", "json"))
        versions = {package["name"]: package["version"] for package in listed}
        return ", ".join(versions[name] for name in ("aws-cdk-lib", "constructs", "jsii"))

    def synthesize(self) -> None:
        """Run the app, its layers built anew, and compare what it reserves.

        Raises
        ------
        Failure
            The app failed, or reserves anything else.
        """
        self._run(str(self.python), str(APP), CDK_OUTDIR=str(self.folder / "cdk.out"))
        template = json.loads((self.folder / "cdk.out" / "Versions.template.json").read_text())
        reserved = {
            name[:-8]: resource["Properties"]["ReservedConcurrentExecutions"]  # less the hash of a logical id
            for name, resource in template["Resources"].items()
            if "ReservedConcurrentExecutions" in resource.get("Properties", ())
        }
        if reserved != CONCURRENCY:
            msg = f"reserved concurrency {reserved}, not {CONCURRENCY}"
            raise Failure(msg)

    def test_runtime(self) -> str:
        """Run the tests of the runtime, which a function's Python matters to, and give pytest's last line.

        Raises
        ------
        Failure
            One of them failed.
        """
        self._uv("pip", "install", "--python", str(self.python), "--group", f"{ROOT / 'pyproject.toml'}:dev")
        command = [str(self.python), "-m", "pytest", "-q", "-n", "2", str(ROOT / "tests" / "runtime")]
        return self._run(*command, cwd=ROOT).strip().splitlines()[-1]

    def _uv(self, *arguments: str) -> str:
        return self._run(sys.executable, "-m", "uv", "--quiet", *arguments)

    def _run(self, *command: str, cwd: Path | None = None, **variables: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment.setdefault("JSII_NODE", str(Path(sys.executable).with_name("node")))
        environment |= {"JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1", **variables}
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failure((done.stdout + done.stderr).strip()[-3000:])
        return done.stdout
