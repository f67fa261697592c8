"""Child processes: each in a session of its own, so that Ctrl-C reaches the demo alone and it ends them in order."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

GRACE_SECONDS = 5


class CommandError(RuntimeError):
    """A command that ended with an error, and what it said last."""

    def __init__(self, command: Sequence[str], code: int, log: Path) -> None:
        said = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        super().__init__(f"{' '.join(command[:4])} ended with {code}:\n{said}")


@contextmanager
def child(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for as long as the block lasts, and end it and all of its descendants."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def run(command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path) -> None:
    """Run a command to its end.

    Raises
    ------
    CommandError
        If it fails.
    """
    with child(command, environment, cwd, log) as process:
        if code := process.wait():
            raise CommandError(command, code, log)


@contextmanager
def no_child_left() -> Iterator[None]:
    """End what the block could not end itself: a signal may come between the start of a child and our hold of it."""
    this = psutil.Process()
    before = this.children()
    try:
        yield
    finally:
        for process in set(this.children()).difference(before):
            _end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its descendants, by their ids."""
    with suppress(psutil.NoSuchProcess):
        _end(psutil.Process(process.pid))
    process.wait()


def _end(root: psutil.Process) -> None:
    family = [root]
    with suppress(psutil.NoSuchProcess):
        family += root.children(recursive=True)
    for member in family:
        _unless_gone(member.terminate)
    _, alive = psutil.wait_procs(family, timeout=GRACE_SECONDS)
    for member in alive:
        _unless_gone(member.kill)
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)


def _unless_gone(signal: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        signal()
