"""One run of all four sources at the same time, whose outcomes the tests look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.sources.running import Run, run_sources


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with run_sources(tmp_path_factory.mktemp("account")) as run:
        yield run
