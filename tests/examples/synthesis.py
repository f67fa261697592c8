"""Synthesizes one example after the other in one process: loading the CDK takes longer than most examples do."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CONTEXT = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]


def begin() -> None:
    """Have the CDK run CloudFormation's rules over each template, as it does by default."""
    os.environ["CDK_VALIDATION"] = "true"


def synthesize(example: Path, folder: Path) -> None:
    """Run the example as `python example.py` would, with the reference app's context and packs, into `folder`."""
    import aws_cdk
    from app import add_nag_packs

    class Observed(aws_cdk.App):
        def __init__(self, **options: Any) -> None:
            super().__init__(outdir=str(folder), context=CONTEXT, **options)

        def synth(self, **options: Any) -> Any:
            add_nag_packs(self)
            return super().synth(**options)

    plain = aws_cdk.App
    aws_cdk.App = Observed  # type: ignore[misc]
    try:
        runpy.run_path(str(example), run_name="__main__")
    finally:
        aws_cdk.App = plain  # type: ignore[misc]
