"""The schedules notice when the code is wrong."""

from __future__ import annotations

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.schedule import run

SEEDS = 60


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_schedule_finds_what_is_wrong(mutation: Mutation) -> None:
    with mutation.apply():
        assert any(broken(seed) for seed in range(mutation.seed, mutation.seed + SEEDS))


def broken(seed: int) -> bool:
    try:
        return not run(seed).good
    except (AssertionError, KeyError, ValueError, IndexError):
        return True
