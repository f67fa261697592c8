"""The docs show the promises that have a test, and no others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.runtime.conformance.others import NOT, OTHERS, WITH
from tests.runtime.conformance.promises import PROMISES
from tests.runtime.conformance.table import DOCS, written

ROOT = DOCS.parents[1]


def test_the_table_in_the_docs() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tests.runtime.conformance.table", "--print"],
        check=True,
        capture_output=True,
        text=True,
        cwd=DOCS.parents[1],
    )
    assert written() == printed.stdout.strip()


@pytest.mark.parametrize("client", OTHERS)
def test_the_other_clients_tests_are_there(client: str) -> None:
    for number, (file, name) in WITH[client].items():
        text = (ROOT / file).read_text()
        assert f"def {name}(" in text or f"test('{name}'" in text, (number, file, name)
    assert not WITH[client].keys() & NOT[client].keys()
    assert WITH[client].keys() | NOT[client].keys() <= PROMISES.keys()
