"""What AWS Lambda sets and allows, for functions, accounts and event source mappings."""

from __future__ import annotations

DEFAULT_TIMEOUT_SECONDS = 3
"""Source: AWS Lambda Developer Guide, "Configure Lambda function timeout"."""
MAXIMUM_TIMEOUT_SECONDS = 900
"""Source: AWS Lambda Developer Guide, "Lambda quotas"."""
MOST_LAYERS = 5
"""Source: the same page."""

ACCOUNT_CONCURRENCY = 1000
"""Concurrent executions that AWS grants an account and Region by default. Source: the same page."""
_UNRESERVED, _UNRESERVED_OF_SMALL_ACCOUNT = 100, 10


def reservable(quota: int) -> int:
    """Return how much of an account's concurrency functions may reserve.

    Sources: AWS Lambda API Reference, PutFunctionConcurrency, of the 100 that must stay; an account with a quota of 100
    or less is refused with "below its minimum value of [10]".
    """
    return max(0, quota - (_UNRESERVED if quota > _UNRESERVED else _UNRESERVED_OF_SMALL_ACCOUNT))
