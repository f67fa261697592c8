"""Templates as the CDK CLI would get them: a process of its own, with the five packs of cdk-nag on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Assembly:
    folder: Path
    output: str

    @property
    def template_files(self) -> list[Path]:
        return sorted(self.folder.glob("*.template.json"))

    def template(self, stack: str) -> dict[str, Any]:
        return json.loads((self.folder / f"{stack}.template.json").read_text(encoding="utf-8"))


def synthesize(script: Path, folder: Path, context: dict[str, str] | None = None) -> Assembly:
    environment = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context or {})}
    done = subprocess.run(
        [sys.executable, script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Assembly(folder, done.stdout + done.stderr)


def masked(template: dict[str, Any]) -> dict[str, Any]:
    """Without what changes with the contents of an asset alone."""
    text = json.dumps(template)
    text = re.sub(r"[0-9a-f]{64}", "<asset>", text)
    # An API's deployment and a function's version carry a hash of what they stand for in their logical ids.
    return json.loads(re.sub(r"((?:Deployment|CurrentVersion)[0-9A-F]{8})[0-9a-f]{32}", r"\1<hash>", text))


@pytest.fixture
def template_snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)
