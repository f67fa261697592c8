"""The demo from beginning to end: servers, emulator, stacks, bursts, outcomes."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from servers import Certificates, MariaDbServer, PostgreSqlServer

from demo import ledger
from demo.emulator import CONCURRENCY_QUOTA, RecordingEmulator
from demo.load import Burst, make_orders
from demo.outcome import Outcome
from demo.prediction import predict
from demo.processes import no_child_left
from demo.recording import Recording
from demo.sessions import Sessions, wait_until_none
from demo.stack_name import stack_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from demo.administrator import SqlServer
    from demo.load import Order
    from demo.screen import Screen

SERVERS = {"mariadb": MariaDbServer, "postgresql": PostgreSqlServer}
MAX_CONNECTIONS = 20
PATIENCE_SECONDS = 120
END_SESSIONS_SECONDS = 20
VISIBILITY_SECONDS = 8


def demonstrate(
    engines: Sequence[str], *, orders: int, requests: int, unprotected: bool, screen: Screen, poison: int = 0
) -> Iterator[Outcome]:
    """Deploy the order intake for each engine, let the burst loose on it, and yield what came of it.

    Parameters
    ----------
    engines
        Names of `SERVERS`.
    orders, requests
        How many of each.
    unprotected
        Whether to do the same without the library.
    screen
        Where to show it.
    poison
        Messages among the orders that are none, and fail each time. With some, a message that failed comes again after
        8 s.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="breakwater-demo-")))
        stack.enter_context(no_child_left())
        certificate = Certificates().right
        with screen.step(f"Start {' and '.join(engines)} with max_connections = {MAX_CONNECTIONS}"):
            servers = [
                stack.enter_context(SERVERS[engine](MAX_CONNECTIONS, certificate, require_tls=True))
                for engine in engines
            ]
        with screen.step("Start an emulated AWS account and bootstrap it"):
            emulator = stack.enter_context(RecordingEmulator(folder))
            emulator.bootstrap()
        with screen.step("Synthesize the order intake, with breakwater and without"):
            emulator.synthesize(
                {"databases": [emulator.describe(server.engine, server, certificate.ca) for server in servers]}
            )
        for server in servers:
            for protected in (True, False) if unprotected else (True,):
                burst = (make_orders(orders), requests, poison)
                yield _one_burst(emulator, server, *burst, protected=protected, screen=screen)


def _one_burst(
    emulator: RecordingEmulator,
    server: SqlServer,
    orders: Sequence[Order],
    requests: int,
    poison: int,
    *,
    protected: bool,
    screen: Screen,
) -> Outcome:
    stack = stack_name(server.engine, protected=protected)
    with screen.step(f"Deploy {stack}"):
        outputs = emulator.deploy(stack)
    if poison:
        timeout = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        emulator.client("sqs").set_queue_attributes(QueueUrl=outputs["QueueUrl"], Attributes=timeout)
    ledger.clear(server)
    held = server.sessions()
    started, began = time.monotonic(), time.time()
    burst = Burst(emulator, outputs, orders, requests, poison)
    with Sessions(server) as sessions, screen.burst(len(burst.messages), requests, server.max_connections) as bars:
        for progress in burst.run(PATIENCE_SECONDS):
            bars.show(progress, sessions)
    seconds = time.monotonic() - started
    prediction = predict(
        emulator.template(stack),
        Recording.of(emulator.recording, began, time.time()),
        emulator.functions(stack),
        quota=CONCURRENCY_QUOTA,
        max_connections=server.max_connections,
        visibility=VISIBILITY_SECONDS if poison else None,
        failing=poison / len(burst.messages),
    )
    outcome = Outcome(
        engine=server.engine,
        max_connections=server.max_connections,
        budget=int(outputs["Budget"]) if protected else None,
        orders=len(orders),
        progress=progress,
        ledger=ledger.audit(server, orders),
        peak=sessions.peak,
        refused=sessions.refused,
        seconds=seconds,
        # The environment of the migration, which the deployment called, rests with its connection.
        predicted=replace(prediction, connections=prediction.connections + held),
    )
    with screen.step(f"Delete the functions of {stack}"):
        emulator.delete_functions(stack)
        wait_until_none(server, END_SESSIONS_SECONDS)
    return outcome
