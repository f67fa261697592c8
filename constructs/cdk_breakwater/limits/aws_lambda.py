"""What AWS Lambda sets and allows for a function. Source: AWS Lambda Developer Guide, "Lambda quotas"."""

from __future__ import annotations

DEFAULT_TIMEOUT_SECONDS = 3
"""Source: AWS Lambda Developer Guide, "Configure Lambda function timeout"."""
MAXIMUM_TIMEOUT_SECONDS = 900
MAXIMUM_MANAGED_TIMEOUT_SECONDS = 5_400
"""On Lambda Managed Instances, for what nobody waits for. Source: as for the default."""
MOST_LAYERS = 5
UNZIPPED_BYTES = 262_144_000
"""A function's code and its layers together."""
ENVIRONMENT_BYTES = 4_096
"""Names and values of all variables of a function together."""
