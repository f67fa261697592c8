"""The schedules notice when the code is wrong."""

from __future__ import annotations

import contextlib
import io

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.schedule import run

pytestmark = pytest.mark.no_cover  # it would take twice the time, and covers what other tests do
SEEDS, AIMED = 120, 60


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_schedule_finds_what_is_wrong(mutation: Mutation) -> None:
    with mutation.apply(), contextlib.redirect_stdout(io.StringIO()):
        assert any(mutation.broken(seed) for seed in range(SEEDS))


def test_aimed_schedules_find_nothing_in_the_code_as_it_is() -> None:
    for seed in range(AIMED):
        assert run(seed, aimed=True).good, seed
