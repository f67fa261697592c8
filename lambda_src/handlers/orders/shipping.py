"""Announces one order to the shipping provider, whose API grants a quota; called by QuotaThrottledInvocation."""

from __future__ import annotations

import os
from typing import Any

import urllib3

import breakwater_runtime as breakwater

http = urllib3.PoolManager()

DEFAULT_PAUSE_SECONDS = 1.0
TOO_MANY_REQUESTS = 429
ERRORS = 400


def handler(event: dict[str, Any], _context: Any) -> None:
    """Send the record's body on.

    Raises
    ------
    breakwater_runtime.RetryAfter
        When the provider says 429: the whole flow waits, and the message has not failed.
    RuntimeError
        When the provider refuses the message: it is tried again, and then kept in the dead-letter queue.
    """
    (record,) = event["Records"]
    answer = http.request(
        "POST",
        os.environ["SHIPPING_URL"],
        body=record["body"].encode(),
        # The provider's own guard against a call that is made again after its answer was lost.
        headers={"Content-Type": "application/json", "Idempotency-Key": record["messageId"]},
        timeout=urllib3.Timeout(5),
        retries=False,
    )
    if answer.status == TOO_MANY_REQUESTS:
        raise breakwater.RetryAfter(_seconds(answer.headers.get("Retry-After")))
    if answer.status >= ERRORS:
        raise RuntimeError(f"the shipping provider answered {answer.status}")


def _seconds(value: str | None) -> float:
    try:
        return float(value or DEFAULT_PAUSE_SECONDS)
    except ValueError:  # Retry-After may be a date
        return DEFAULT_PAUSE_SECONDS
