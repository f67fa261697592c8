"""An account's quota of concurrent executions in a Region, and how much of it functions may reserve."""

from __future__ import annotations

ACCOUNT_CONCURRENCY = 1000
"""Concurrent executions that AWS grants by default. Source: AWS Lambda Developer Guide, "Lambda quotas"."""
_UNRESERVED, _UNRESERVED_OF_SMALL_ACCOUNT = 100, 10


def reservable(quota: int) -> int:
    """Return how much of an account's concurrency functions may reserve.

    Sources: AWS Lambda API Reference, PutFunctionConcurrency, of the 100 that must stay; an account with a quota of 100
    or less is refused with "below its minimum value of [10]".
    """
    return max(0, quota - (_UNRESERVED if quota > _UNRESERVED else _UNRESERVED_OF_SMALL_ACCOUNT))
