"""The emulator, with processes that outlive an exception of their function, as execution environments do.

Its own ends the process after each error, of which the streams here have hundreds, and starts the next one cold. A
function that times out or whose process dies still loses it.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any

from ministack.core import lambda_runtime

runtime: Any = lambda_runtime
RAISED = '"status": "error", "error": str(e), "trace"'
assert RAISED in runtime._PYTHON_WORKER_SCRIPT
runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(RAISED, RAISED.replace("error", "ok", 1))
_invoke = runtime.Worker.invoke


def _invoke_enduring(worker: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
    answer = _invoke(worker, *arguments, **options)
    return {**answer, "status": "error"} if "trace" in answer else answer


runtime.Worker.invoke = _invoke_enduring

if __name__ == "__main__":
    sys.argv[0] = "ministack"
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
