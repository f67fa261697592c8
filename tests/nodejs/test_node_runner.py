"""A run of Node.js that fails, or that ran nothing, fails here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.nodejs.node_runner import LambdaFolder

if TYPE_CHECKING:
    from pathlib import Path

TEST = "const { test } = require('node:test'); const assert = require('node:assert/strict');"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ran no test"),
        (f"{TEST} test('no', () => assert.equal(1, 2))", "not ok 1 - no"),
        (f"{TEST} test('yes', () => {{}}); test('no', {{ skip: true }}, () => {{}})", "ran 1 of 2 tests"),
        ("throw new Error('at import')", "at import"),
    ],
)
def test_a_run_that_proves_nothing(tmp_path: Path, text: str, message: str) -> None:
    folder = LambdaFolder(tmp_path)
    (folder.code / "given.test.mjs").write_text(
        f"import {{ createRequire }} from 'node:module'\nconst require = createRequire(import.meta.url)\n{text}\n"
    )
    with pytest.raises(AssertionError, match=message):
        folder.run("given")


def test_how_many_ran(tmp_path: Path) -> None:
    folder = LambdaFolder(tmp_path)
    (folder.code / "given.test.mjs").write_text(
        "import { test } from 'node:test'\ntest('a', () => {})\ntest('b', () => {})\n"
    )
    assert folder.run("given") == 2
