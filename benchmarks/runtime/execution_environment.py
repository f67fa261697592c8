"""Execution environments as processes: stopped between their invocations, the most recently used first."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.runtime import strategies
from cdk_breakwater.layers.node_layer import node_layer_content

if TYPE_CHECKING:
    from collections.abc import Callable

NODE_FOLDER = Path(__file__).parent / "node"


def _serve(channel: socket.socket, invocation: Callable[[], None]) -> None:
    with channel.makefile("rw") as lines:
        for _ in lines:
            started = time.monotonic()
            try:
                invocation()
                error = None
            except Exception as failure:
                error = " ".join(f"{type(failure).__name__}: {failure}".split())[:120]
            lines.write(json.dumps({"error": error, "seconds": time.monotonic() - started}) + "\n")
            lines.flush()


def start(strategy: str, settings: dict[str, Any]) -> tuple[int, socket.socket]:
    """Start an environment and return its process id and our end of the channel; call it before any thread runs."""
    ours, theirs = socket.socketpair()
    if strategy in strategies.NODE:
        process = subprocess.Popen(
            ["node", "environment.js", strategy, json.dumps(settings)],
            cwd=NODE_FOLDER,
            env={**os.environ, "LAYER": str(node_layer_content("benchmarks", None) / "nodejs" / "node_modules")},
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            start_new_session=True,
        )
        process.returncode = 0  # the pool waits for it, not this object
        theirs.close()
        return process.pid, ours
    process_id = os.fork()
    if process_id == 0:
        code = 1
        with contextlib.suppress(BaseException):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            ours.close()
            _serve(theirs, strategies.PYTHON[strategy](settings))
            code = 0
        os._exit(code)
    theirs.close()
    return process_id, ours


class Environment:
    """One environment, frozen unless it is within an invocation."""

    def __init__(self, process_id: int, channel: socket.socket) -> None:
        self.process_id = process_id
        self._channel = channel
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def invoke(self) -> str | None:
        """Run one invocation and return its error."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(sock=self._channel)
        reader, writer = self._streams
        os.kill(self.process_id, signal.SIGCONT)
        writer.write(b"go\n")
        try:
            answer = await asyncio.wait_for(reader.readline(), strategies.DEADLINE_SECONDS + 1)
        except asyncio.TimeoutError:
            return "Task timed out"
        os.kill(self.process_id, signal.SIGSTOP)
        return json.loads(answer)["error"] if answer else "the environment ended"

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.process_id, signal.SIGKILL)
            os.waitpid(self.process_id, 0)
        self._channel.close()


class Function:
    """A Lambda function: environments, at most so many at once."""

    def __init__(self, environments: list[Environment], concurrency: int) -> None:
        self._idle = list(environments)
        self._turns = asyncio.Semaphore(concurrency)
        self.replaced: list[Environment] = []

    def deploy(self, fresh: list[Environment]) -> None:
        """Let fresh environments take over; the old ones stay frozen with what they hold."""
        self.replaced, self._idle = self._idle, list(fresh)

    async def invoke(self) -> str | None:
        async with self._turns:
            environment = self._idle.pop()
            try:
                return await environment.invoke()
            finally:
                self._idle.append(environment)
