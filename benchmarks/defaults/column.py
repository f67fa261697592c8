"""One library's column of the tables: its app synthesized, its templates read."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from cdk_breakwater.checks import read

from .limits import SECTIONS

APPS = Path(__file__).parent / "apps"
NO_CONSTRUCT = "no such construct"


class Library(NamedTuple):
    """A column.

    Attributes
    ----------
    name
        As its users know it.
    app
        The app that uses it, beside this file.
    package
        The distribution whose version the header names.
    """

    name: str
    app: str
    package: str


OURS = Library("cdk-breakwater", "cdk_breakwater_app.py", "cdk-breakwater")
L2 = Library("L2 of aws-cdk-lib", "aws_cdk_lib_app.py", "aws-cdk-lib")
SOLUTIONS = Library(
    "AWS Solutions Constructs", "solutions_constructs_app.py", "aws-solutions-constructs.aws-sqs-lambda"
)


def column(library: Library, python: str = sys.executable) -> dict[tuple[str, str], str]:
    """Synthesize a library's app, and read the value of each limit, by section and name."""
    with tempfile.TemporaryDirectory() as folder:
        _run(python, str(APPS / library.app), assembly=folder)
        values = {}
        for section in SECTIONS:
            template = Path(folder, f"{section.stack}.template.json")
            assembly = read([template]) if template.exists() else None
            for limit in section.limits:
                values[section.title, limit.name] = limit.read(assembly) if assembly else NO_CONSTRUCT
    return values


def version(library: Library, python: str = sys.executable) -> str:
    """Tell which release of it an environment has."""
    code = f"import importlib.metadata as m; print(m.version({library.package!r}))"
    return _run(python, "-c", code).strip()


def _run(*command: str, assembly: str | None = None) -> str:
    environment = {**os.environ, "JSII_NODE": os.environ.get("JSII_NODE") or str(Path(sys.executable).parent / "node")}
    if assembly:
        environment["CDK_OUTDIR"] = assembly
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout
