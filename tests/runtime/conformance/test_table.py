"""The docs show the promises that have a test, and no others."""

from __future__ import annotations

import subprocess
import sys

from tests.runtime.conformance.table import DOCS, written


def test_the_table_in_the_docs() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tests.runtime.conformance.table", "--print"],
        check=True,
        capture_output=True,
        text=True,
        cwd=DOCS.parents[1],
    )
    assert written() == printed.stdout.strip()
