"""docs/defaults.md says what the constructs do today."""

from __future__ import annotations

import pytest
from benchmarks.defaults.column import OURS, column
from benchmarks.defaults.limits import SECTIONS
from benchmarks.defaults.page import DOCUMENT, columns_of, page


@pytest.fixture(scope="module")
def ours() -> dict[tuple[str, str], str]:
    return column(OURS)


def test_the_page_is_what_the_templates_say(ours: dict[tuple[str, str], str]) -> None:
    columns = columns_of(DOCUMENT.read_text(encoding="utf-8"))
    assert columns[OURS.name] == ours, "run: python -m benchmarks.defaults --ours-only"
    assert {len(values) for values in columns.values()} == {len(ours)}


def test_a_page_that_is_stale_would_be_found(ours: dict[tuple[str, str], str]) -> None:
    changed = dict(ours)
    changed[SECTIONS[0].title, SECTIONS[0].limits[0].name] = "21"
    assert columns_of(page({OURS.name: changed, "another": ours})) == {OURS.name: changed, "another": ours}
    assert changed != ours
