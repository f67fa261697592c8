"""Synthesize an app with every construct in it on each Python, at both ends of the ranges, and show what came of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .environment import ENDS, PYTHONS, ROOT, Environment, Failure, find_python


def main(
    python: Annotated[list[str] | None, typer.Option(help="A version such as 3.10; may be repeated.")] = None,
    end: Annotated[list[str] | None, typer.Option(help="lowest or highest; may be repeated.")] = None,
    runtime: Annotated[bool, typer.Option("--runtime", help="Run the tests of the runtime there, too.")] = False,
) -> None:
    """Try the wheel on every Python with the oldest and the newest dependencies; about four minutes."""
    console = Console()
    table = Table("Python", "dependencies", "aws-cdk-lib, constructs, jsii", "result", "seconds")
    failures = []
    with tempfile.TemporaryDirectory() as folder, console.status("") as status:
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        wheel = next(Path(folder).glob("*.whl"))
        for version in python or PYTHONS:
            interpreter = find_python(version)
            if interpreter is None:
                table.add_row(version, "", "", f"[yellow]not tried: not here (uv python install {version})")
                continue
            for which in end or ENDS:
                status.update(f"Python {version}, {which} dependencies …")
                started, versions = time.monotonic(), ""
                environment = Environment(Path(folder, f"{version}-{which}"))
                environment.folder.mkdir()
                try:
                    environment.create(interpreter)
                    versions = environment.install(wheel, which)
                    environment.synthesize()
                    result = environment.test_runtime() if runtime else "synthesized"
                except Failure as failure:
                    failures.append(f"Python {version}, {which}: {failure}")
                    result = "[red]failed"
                table.add_row(version, which, versions, result, f"{time.monotonic() - started:.0f}")
    console.print(table)
    for failure in failures:
        console.print(failure, style="red", markup=False)
    raise typer.Exit(bool(failures))


if __name__ == "__main__":
    typer.run(main)
