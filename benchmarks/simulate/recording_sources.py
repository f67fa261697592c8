"""The emulator of the sources' tests, which writes down what came when, and how long each invocation took."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
# Both change the emulator.
import demo.recording_emulator  # noqa: F401
import tests.e2e.sources.enduring_emulator  # noqa: F401

if __name__ == "__main__":
    sys.argv[0] = "ministack"
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
