"""Every test, however it is started, uses the Node that the virtual environment brings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("JSII_NODE", str(Path(sys.executable).parent / "node"))
# CloudFormation's rules, which the CDK runs over each template, cost more than all the rest of a small synth. The
# reference app (`make synth`) and the examples are synthesized with them.
os.environ.setdefault("CDK_VALIDATION", "false")
