"""The user's function: one call to the provider per message."""

from __future__ import annotations

import os
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from breakwater_runtime import RetryAfter


def handler(event: dict[str, Any], context: object) -> None:
    (record,) = event["Records"]
    request = Request(os.environ["PROVIDER"], data=record["body"].encode(), method="POST")  # noqa: S310 -- loopback
    try:
        urlopen(request, timeout=5).close()  # noqa: S310
    except HTTPError as error:
        if error.code == 429:
            raise RetryAfter(float(error.headers["Retry-After"])) from error
        raise
