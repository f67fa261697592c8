"""An execution environment as a process of its own, so that it can be frozen: it obeys lines on its standard input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import breakwater_runtime as breakwater
from tests.runtime.sql import Context, execute

if TYPE_CHECKING:
    from typing_extensions import Self

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Run the statements of each line in one block, and answer with the counters or the error."""
    database = breakwater.database(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        order = json.loads(line)
        try:
            with database.connection(Context(order["seconds"])) as connection:
                execute(connection, *order["statements"])
            answer = database.counters.values()
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    database.close()


class EnvironmentProcess:
    """The process, as the tests see it: frozen between invocations unless told otherwise."""

    def __init__(self, settings: dict[str, Any]) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lambda_src")])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.environment_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self._write(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, *statements: str, seconds: float = 30) -> None:
        """Send an invocation, without waiting for its end."""
        self._write({"statements": statements, "seconds": seconds})

    def end(self) -> dict[str, Any]:
        """Wait for the invocation's end."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def invoke(self, *statements: str) -> dict[str, Any]:
        self.begin(*statements)
        return self.end()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _write(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()


if __name__ == "__main__":
    main()
