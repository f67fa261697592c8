"""One run of a CDK app: a process of its own, as `cdk synth` starts it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

APPS = Path(__file__).parent / "apps"


class Run(NamedTuple):
    """What one process took, import of aws_cdk and Node.js included."""

    wall: float
    """Seconds on the clock."""
    cpu: float
    """Seconds of computing, which other programs on the machine disturb less."""


def run(app: str, *arguments: str, assembly: Path | None = None) -> Run:
    """Synthesize one of the apps beside this file, into a folder that is then removed or into a given one."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CDK_OUTDIR": str(assembly or Path(folder, "cdk.out"))}
        node = Path(sys.executable).with_name("node")
        if node.exists():
            environment.setdefault("JSII_NODE", str(node))
        before, started = _children_cpu(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, APPS / f"{app}.py", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        taken = Run(time.perf_counter() - started, _children_cpu() - before)
    if done.returncode:
        msg = f"{app}.py failed:\n{done.stderr[-2000:]}"
        raise RuntimeError(msg)
    return taken


def resources(assembly: Path) -> Counter[Any]:
    """Count a stack's resources by their type and the properties that they set."""
    template = json.loads(next(assembly.glob("*.template.json")).read_text())
    return Counter(
        (resource["Type"], *sorted(resource.get("Properties", ()))) for resource in template["Resources"].values()
    )


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
