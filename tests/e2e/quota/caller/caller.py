"""The user's functions: one call to the provider per message, and one that cannot wait in a queue."""

from __future__ import annotations

import os
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from breakwater_runtime import QuotaBusy, RetryAfter, acquire


def handler(event: dict[str, Any], context: object) -> None:
    (record,) = event["Records"]
    _call(record["body"])


def page(event: str, context: object) -> str:
    try:
        with acquire(context, within=15):
            _call(event)
    except QuotaBusy:
        return "busy"
    return "done"


def _call(body: str) -> None:
    request = Request(os.environ["PROVIDER"], data=body.encode(), method="POST")  # noqa: S310 -- loopback
    try:
        urlopen(request, timeout=5).close()  # noqa: S310
    except HTTPError as error:
        if error.code == 429:
            raise RetryAfter(float(error.headers["Retry-After"])) from error
        raise
