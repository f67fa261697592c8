"""One run of all four sources at the same time, against servers of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.administrator import SqlServer
from demo.processes import no_child_left
from demo.sessions import Sessions
from servers import Certificates, MariaDbServer, PostgreSqlServer

from tests.e2e.sources.account import SourcesAccount
from tests.e2e.sources.effects import Effects, make_tables, read_effects
from tests.e2e.sources.records import POISON, REPEATED, records
from tests.e2e.sources.senders import send_to_queue, send_to_stream, send_to_table
from tests.e2e.sources.stream_poller import StreamPoller

PATIENCE_SECONDS = 300
ALL = len(records(repeated=False))


@dataclass
class Run:
    """What came of it.

    Attributes
    ----------
    account
        As it was left.
    servers, peaks, pollers
        By source: its server, the most connections at once, and what reads it, if it is a stream.
    began
        Unix time.
    sent, seconds
        By source: when all was sent, and when all was done, in seconds since then.
    """

    account: SourcesAccount
    servers: dict[str, SqlServer]
    peaks: dict[str, int]
    pollers: dict[str, StreamPoller]
    began: float
    sent: dict[str, float]
    seconds: dict[str, float]

    def effects(self, name: str) -> Effects:
        return read_effects(self.servers[name])

    def share(self, name: str) -> int:
        return int(self.account.outputs[f"{name}Share"])


@contextmanager
def run_sources(
    folder: Path, account_of: type[SourcesAccount] = SourcesAccount, poller_of: type[StreamPoller] = StreamPoller
) -> Iterator[Run]:
    """Deploy the sources, send all records to each, and wait until none is left."""
    certificate = Certificates().right
    with ExitStack() as stack:
        stack.enter_context(no_child_left())
        # (13 - 5) x 0.8 = 6 on MariaDB, (20 - 12) x 0.8 = 6 and (22 - 12) x 0.8 = 8 on PostgreSQL
        made: dict[str, SqlServer] = {
            "Standard": MariaDbServer(13, certificate, require_tls=True),
            "Fifo": PostgreSqlServer(20, certificate, require_tls=True),
            "Clicks": PostgreSqlServer(22, certificate, require_tls=True),
            "Changes": MariaDbServer(13, certificate, require_tls=True),
        }
        with ThreadPoolExecutor() as threads:
            servers = dict(zip(made, threads.map(stack.enter_context, made.values()), strict=True))
        account = stack.enter_context(account_of(folder))
        account.deploy_sources(servers, certificate.ca)
        for server in servers.values():
            make_tables(server)
        with ExitStack() as watched:
            sessions = {name: watched.enter_context(Sessions(server)) for name, server in servers.items()}
            pollers = {
                name: watched.enter_context(poller_of(account, account.outputs[f"{name}Mapping"]))
                for name in ("Clicks", "Changes")
            }
            began = time.time()
            sent, seconds = _send_and_wait(account, pollers)
        yield Run(
            account,
            servers,
            {name: watch.peak for name, watch in sessions.items()},
            pollers,
            began,
            sent,
            seconds,
        )


def _send_and_wait(
    account: SourcesAccount, pollers: dict[str, StreamPoller]
) -> tuple[dict[str, float], dict[str, float]]:
    began = time.monotonic()
    outputs = account.outputs
    # Those of a group follow one another, so that SQS would hand them out together.
    by_group = sorted(records(repeated=True), key=lambda record: record["group"])

    def timed(send: Callable[[], None]) -> float:
        send()
        return time.monotonic() - began

    senders: dict[str, Callable[[], None]] = {
        "Standard": lambda: send_to_queue(account, outputs["StandardQueue"], records(repeated=True), fifo=False),
        "Fifo": lambda: send_to_queue(account, outputs["FifoQueue"], by_group, fifo=True),
        "Clicks": lambda: send_to_stream(account, outputs["ClicksStream"], records(repeated=True)),
        "Changes": lambda: send_to_table(account, outputs["ChangesTable"], records(repeated=False)),
    }
    with ThreadPoolExecutor() as threads:
        sent = dict(zip(senders, threads.map(timed, senders.values()), strict=True))
    done = {
        "Standard": lambda: _drained(account, "Standard"),
        "Fifo": lambda: _drained(account, "Fifo"),
        "Clicks": lambda: pollers["Clicks"].ended == ALL + len(REPEATED),
        "Changes": lambda: pollers["Changes"].ended == ALL,
    }
    seconds: dict[str, float] = {}
    while len(seconds) < len(done):
        passed = time.monotonic() - began
        waiting = [name for name in done if name not in seconds]
        assert passed < PATIENCE_SECONDS, f"{waiting} not done after {passed:.0f} s"
        assert not any(poller.failed for poller in pollers.values())
        seconds |= {name: passed for name in waiting if done[name]()}
        time.sleep(0.2)
    return sent, seconds


def _drained(account: SourcesAccount, name: str) -> bool:
    outputs = account.outputs
    return account.messages(outputs[f"{name}Queue"]) == 0 and account.messages(outputs[f"{name}DeadLetters"]) >= len(
        POISON
    )
