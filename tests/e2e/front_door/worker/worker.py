"""The user's function: does what the body says."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import breakwater_runtime as breakwater


@breakwater.batch
def handler(record: dict[str, Any], context: object) -> object:
    order = json.loads(record["body"])
    if "log" in order:
        with Path(order["log"]).open("a", encoding="utf-8") as log:
            log.write(order.get("mark", "x"))
    match order["do"]:
        case "wait":
            deadline = time.monotonic() + 8
            while not Path(order["gate"]).exists() and time.monotonic() < deadline:
                time.sleep(0.05)
        case "need" if not Path(order["gate"]).exists():
            raise FileNotFoundError(order["gate"])
        case "fail":
            raise KeyError(record["body"])
        case "refuse":
            raise breakwater.JobFailed("the card was declined")
        case "die":
            os._exit(1)
        case "large":
            return "ü" * 300_000
    return order
