"""docs/defaults.md says what the constructs do today."""

from __future__ import annotations

import pytest
from benchmarks.defaults.column import OURS, column
from benchmarks.defaults.limits import SECTIONS
from benchmarks.defaults.page import DOCUMENT, first_column, page


@pytest.fixture(scope="module")
def ours() -> dict[tuple[str, str], str]:
    return column(OURS)


def test_the_page_is_what_the_templates_say(ours: dict[tuple[str, str], str]) -> None:
    assert first_column(DOCUMENT.read_text(encoding="utf-8")) == ours, "python -m benchmarks.defaults"


def test_a_page_that_is_stale_would_be_found(ours: dict[tuple[str, str], str]) -> None:
    changed = dict(ours)
    changed[SECTIONS[0].title, SECTIONS[0].limits[0].name] = "21"
    assert first_column(page({OURS.name: changed, "another": ours})) == changed != ours
