"""One call for one label; what the provider says about its quota is said by an exception."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import Any

import breakwater_runtime as breakwater


def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 -- as Lambda calls it
    (record,) = event["Records"]
    try:
        urllib.request.urlopen(os.environ["PROVIDER"], data=record["body"].encode(), timeout=8).close()  # noqa: S310 -- the app says which
    except urllib.error.HTTPError as error:
        if error.code == 429:
            raise breakwater.RetryAfter(error.headers.get("Retry-After")) from error
        raise
