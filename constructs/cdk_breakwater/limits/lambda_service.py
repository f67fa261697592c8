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
UNRESERVED_MINIMUM = 100
"""What reserved concurrency must leave of it. Source: AWS Lambda API Reference, PutFunctionConcurrency."""
