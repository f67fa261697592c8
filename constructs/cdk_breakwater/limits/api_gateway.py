"""What Amazon API Gateway allows. Source: API Gateway Developer Guide, "Amazon API Gateway quotas"."""

from __future__ import annotations

REST_TIMEOUT_SECONDS = 29
"""How long a REST or WebSocket API waits for its integration, unless a Region's quota was raised."""
HTTP_TIMEOUT_SECONDS = 30
ACCOUNT_RATE = 10_000
"""Requests a second of all APIs of an account and Region."""
ACCOUNT_BURST = 5_000
"""The bucket of those requests. Newer Regions have a quarter of the rate and burst."""
