"""At the highest rate of a counter."""

from __future__ import annotations

from statistics import mean

import pytest

from cdk_breakwater.quota.counters import CALLS_PER_SECOND
from tests.simulation.rate import called

pytestmark = pytest.mark.no_cover


@pytest.mark.parametrize(("milliseconds", "seconds"), [((20, 150), 15), ((300, 300), 10)])
def test_a_counter_makes_what_its_part_of_the_limit_allows(milliseconds: tuple[int, int], seconds: int) -> None:
    world, limit = called(CALLS_PER_SECOND, 1, seconds, milliseconds)
    starts = sorted(sent.calls[0] for sent in world.messages.values())
    assert len(starts) == seconds * CALLS_PER_SECOND
    assert not world.provider.exceeded([limit])
    # a call holds its place until a period after its end
    possible = limit.limit / (limit.period + mean(milliseconds))
    early, late = starts[len(starts) // 10], starts[-len(starts) // 10]
    used = 0.8 * len(starts) / (late - early)
    assert used >= 0.97 * possible, f"{used / possible:.1%}"
