"""Every test, however it is started, uses the Node that the virtual environment brings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("JSII_NODE", str(Path(sys.executable).parent / "node"))
