"""The emulator, which writes down what came when, and how long each invocation took.

A line of the log is `{"at": Unix time, "what": "sent" | "asked" | "invoked" | "refused" | "read", …}`.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import apigateway_v1, lambda_svc, sqs

LOG = Path(os.environ["TMPDIR"]).parent / "recording.jsonl"
this_thread = threading.local()
writing = threading.Lock()
functions: Any = lambda_svc
runtime: Any = lambda_runtime
gateway: Any = apigateway_v1
queues: Any = sqs


def write(what: str, **more: Any) -> None:
    line = json.dumps({"at": time.time(), "what": what, **more})
    with writing, LOG.open("a", encoding="utf-8") as log:
        log.write(f"{line}\n")


def recorded_send(data: Any, url: str) -> Any:
    answer = send(data, url)
    write("sent", queue=data.get("QueueUrl", url).rsplit("/", 1)[-1])
    return answer


def recorded_check(stage: Any, api_id: str, *more: Any) -> Any:
    refusal = check(stage, api_id, *more)
    write("asked", api=api_id, limited=refusal is not None)
    return refusal


def recorded_slot(function: Any, config: Any) -> Any:
    slot = acquire(function, config)
    if slot[0] is None:
        write("refused", function=config["FunctionName"])
    return slot


def recorded_dispatch(function: Any, config: Any, *more: Any) -> Any:
    this_thread.cold, began = False, time.time()
    answer = dispatch(function, config, *more)
    write(
        "invoked",
        function=config["FunctionName"],
        seconds=time.time() - began,
        cold=this_thread.cold,
        error=bool(answer.get("error")),
    )
    return answer


def recorded_invoke(worker: Any, *arguments: Any, **options: Any) -> Any:
    this_thread.cold = worker._proc is None or worker._proc.poll() is not None
    return invoke(worker, *arguments, **options)


def recorded_batch(mapping: Any, *more: Any) -> Any:
    began = time.time()
    answer = batch(mapping, *more)
    seconds, messages = time.time() - began, len(more[2])
    write("read", function=mapping["FunctionName"], seconds=seconds, messages=messages, cold=this_thread.cold)
    return answer


check, gateway._check_throttle = gateway._check_throttle, recorded_check
acquire, functions._acquire_execution_slot = functions._acquire_execution_slot, recorded_slot
dispatch, functions._execute_function_dispatch = functions._execute_function_dispatch, recorded_dispatch
invoke, runtime.Worker.invoke = runtime.Worker.invoke, recorded_invoke
batch, functions._run_sqs_batch = functions._run_sqs_batch, recorded_batch
send, queues._act_send_message = queues._act_send_message, recorded_send

if __name__ == "__main__":
    sys.argv[0] = "ministack"
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
