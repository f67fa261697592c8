"""How much of an account's concurrency may be reserved, on both sides of the wire."""

from __future__ import annotations

import pytest

from cdk_breakwater.limits.account_quota import reservable
from handlers.deployment_guard import gate


@pytest.mark.parametrize(("quota", "most"), [(1000, 900), (101, 1), (100, 90), (50, 40), (10, 0), (5, 0)])
def test_what_must_stay_unreserved(quota: int, most: int) -> None:
    assert reservable(quota) == most
    assert gate.unreserved_minimum(quota) == (quota - most if most else 10)
