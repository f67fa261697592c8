"""An execution environment with one client, as a process that can be frozen, interrupted and killed."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.runtime.conformance.clients import Client, Session

if TYPE_CHECKING:
    from typing_extensions import Self

ROOT = Path(__file__).parents[3]


async def _do(session: Session, steps: list[list[Any]]) -> list[Any]:
    """Do the steps of one block: each is a verb and what it is about."""
    seen: list[Any] = []
    for verb, subject in steps:
        if verb == "execute":
            await session.execute(subject)
        elif verb == "rows":
            seen += await session.rows(subject)
        elif verb == "pause":
            await session.pause(subject)
        elif verb == "stream":
            # a row each second, whatever the server does
            async for row in session.stream(subject):
                seen.append(row)
                await session.pause(1.0)
        elif verb == "commit":
            await session.commit()
        elif verb == "hold Python's lock":
            # a call into C that lets no thread run
            ctypes.PyDLL(None).usleep(int(subject * 1_000_000))
        else:
            raise ValueError(f"unknown verb {verb!r}")
    return seen


async def _serve(client: Client, environment: Any, order: dict[str, Any]) -> list[Any]:
    async with environment.block(order["seconds"]) as session:
        _write({"begun": True})
        return await _do(session, order["steps"])


def _write(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer, default=str) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do each order of the standard input in one block, and answer with what was seen or raised."""
    start = json.loads(sys.stdin.readline())
    client = Client(start["client"])
    environment = client.open(start["settings"], start["seconds"])
    _write({"ready": True})
    for line in sys.stdin:
        try:
            answer = {"seen": client.finish(_serve(client, environment, json.loads(line)))}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        _write(answer)
    client.close()


class ClientProcess:
    """The process, as a test sees it."""

    def __init__(self, client: str, settings: dict[str, Any], seconds: float) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "lambda_src")])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.conformance.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self._write({"client": client, "settings": settings, "seconds": seconds})
        self._ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def is_ready(self) -> bool:
        """Tell whether the process has started, without waiting for it."""
        if not self._ready and self._process.stdout is not None:
            self._ready = bool(select.select([self._process.stdout], [], [], 0)[0])
        return self._ready

    def begin(self, *steps: list[Any], seconds: float | None = None) -> None:
        """Send an invocation of at most so many seconds, without waiting for its end."""
        self._write({"steps": steps, "seconds": seconds})

    def wait_until_begun(self) -> None:
        """Wait until the block has its connection."""
        answer = self._read()
        if "begun" not in answer:
            raise AssertionError(f"the block didn't begin: {answer}")

    def end(self) -> dict[str, Any]:
        """Wait for the invocation's end."""
        answer = self._read()
        return self._read() if "begun" in answer else answer

    def invoke(self, *steps: list[Any]) -> list[Any]:
        """Do an invocation that must succeed."""
        self.begin(*steps)
        answer = self.end()
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["seen"]

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as Lambda does at the timeout: at once, without a word to the server but the kernel's."""
        self._process.kill()
        self._process.communicate()

    def _write(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the environment has ended")
        answer = json.loads(line)
        return self._read() if "ready" in answer else answer


if __name__ == "__main__":
    main()
