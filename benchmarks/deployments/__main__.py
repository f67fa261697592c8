"""`python -m benchmarks.deployments`: README's app deployed, changed and rolled back under load, guarded and not.

The real CDK CLI on an emulated account, and a real MariaDB. It draws docs/deployments.svg: what is reserved after each
call of Lambda's API, and what the server counts meanwhile: sessions, and those of them that are at work. The rest is
idle, in environments that are frozen. It takes three to six minutes.
"""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from demo.deployments.account import BUDGET, GUARDED, UNGUARDED, USABLE, Account, load
from demo.emulator import REPOSITORY
from demo.processes import CommandError
from servers import Certificates, MariaDbServer
from servers.administrator import NAME

from benchmarks.deployments.plot import Panel, Span, draw

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CONNECTIONS = 20
CALLERS, HELD_SECONDS = 16, 1.0
PAUSE_SECONDS, SETTLE_SECONDS = 0.05, 2
STEPS = {"weighted": "a weight from 1 to 9", "failed": "a failure, rolled back", "renamed": "one renamed"}


@contextmanager
def counted(server: MariaDbServer) -> Iterator[list[tuple[float, int, int]]]:
    """Count the server's sessions all the while, and those at work; the administrator's own is not among them."""
    found: list[tuple[float, int, int]] = []
    over = threading.Event()

    def count() -> None:
        with server.admin() as admin, admin.cursor() as cursor:
            while not over.wait(PAUSE_SECONDS):
                cursor.execute("SELECT command FROM information_schema.processlist WHERE user = %s", (NAME,))
                commands = [command for (command,) in cursor.fetchall()]
                found.append((time.time(), len(commands), len(commands) - commands.count("Sleep")))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def measure(account: Account, server: MariaDbServer, stack: str) -> Panel:
    """Deploy the stack at each stage, under load."""
    account.stack = stack
    account.put("created")
    before = len(account.changes())
    spans = []
    errors: list[str] = []
    with counted(server) as sessions, load(account, errors, CALLERS, HELD_SECONDS) as done:
        for stage, title in STEPS.items():
            began = time.time()
            with suppress(CommandError):  # the one that is to fail
                account.put(stage)
            spans.append(Span(began, time.time(), title))
            time.sleep(SETTLE_SECONDS)
    changes = account.changes()[before - 1 :]
    reserved = [(change["at"], sum(change["held"].values())) for change in changes]
    refused = sum("1040" in error or "1203" in error or "Too many connections" in error for error in errors)
    account.delete_functions(stack)
    print(
        f"{stack:10} reserved at most {max(number for _, number in reserved)}, sessions at most "
        f"{max(number for _, number, _ in sessions)}, at work at most {max(number for *_, number in sessions)}, "
        f"of a budget of {BUDGET} and {USABLE} that clients can have; "
        f"{done['answered']} answered, {done['throttled']} throttled, {refused} refused by the server, "
        f"{done['failed'] - refused + done['lost']} ended by the emulator with their function",
        flush=True,
    )
    all_of_them, at_work = ([(line[0], line[column]) for line in sessions] for column in (1, 2))
    return Panel(stack, spans, reserved, all_of_them, at_work)


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        MariaDbServer(MAX_CONNECTIONS, Certificates().right, require_tls=True) as server,
        Account(Path(folder)) as account,
    ):
        account.bootstrap()
        account.make_stages(server)
        panels = [measure(account, server, stack) for stack in (UNGUARDED, GUARDED)]
    picture = REPOSITORY / "docs" / "deployments.svg"
    picture.write_text(draw(panels, BUDGET, USABLE), encoding="utf-8")
    print(f"drawn: {picture.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()
