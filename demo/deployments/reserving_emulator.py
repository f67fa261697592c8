"""The emulator, whose CloudFormation reserves concurrency, and which writes down the sum after each change.

Its own ignores `ReservedConcurrentExecutions`. Here a function gets it when it is made, and again when the number in
the template changes.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

RESERVED = "ReservedConcurrentExecutions"
LOG = Path(os.environ["TMPDIR"]).parent / "reservations.jsonl"
functions: Any = lambda_svc
handlers: dict[str, Any] = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]  # type: ignore[attr-defined]
_put, _create, _update = functions._put_function_concurrency, handlers["create"], handlers["update"]


def _written_down(name: str, data: dict[str, Any]) -> Any:
    answer = _put(name, data)
    held = {each: functions._functions[each].get("concurrency") or 0 for each in list(functions._functions.keys())}
    line = {"function": name, "reserved": data[RESERVED], "held": held, "at": time.time()}
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    return answer


def _reserve(name: str, properties: dict[str, Any]) -> None:
    if RESERVED in properties:
        functions._put_function_concurrency(name, {RESERVED: int(properties[RESERVED])})


def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
    answer = _create(logical_id, properties, stack_name)
    _reserve(answer[0], properties)
    return answer


def update(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
) -> Any:
    answer = _update(physical_id, old, new, stack_name, logical_id)
    if str(old.get(RESERVED)) != str(new.get(RESERVED)):
        _reserve(answer[0], new)
    return answer


functions._put_function_concurrency = _written_down
handlers["create"], handlers["update"] = create, update

if __name__ == "__main__":
    sys.argv[0] = "ministack"
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
