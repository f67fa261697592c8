"""`python -m benchmarks.runtime.steps`: what the runtime itself costs, beside the driver alone.

Imports and blocks are measured in CPU time, since the time of the server, and of whoever else is on the machine, is not
the runtime's. Of each measurement the least counts, which was disturbed least.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pymysql
from servers import Certificates, MariaDbServer, PostgreSqlServer

import breakwater_runtime as breakwater
from benchmarks.runtime.write import write
from breakwater_runtime._core.session import now
from breakwater_runtime._core.slot import SLOTS
from breakwater_runtime._mysql import marks
from breakwater_runtime._mysql.adapter import PyMySqlSession
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.tls import ssl_context

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENTS = 10
FORGOTTEN_SECONDS = 70
FUNCTION_SECONDS = 30
"""Its timeout, which the constructs tell the runtime, and from which the server's own follow."""

_ANSWER_BYTES = 11
"""Of an OK packet without a report."""

# What Lambda's own runtime has imported before the handler. Source: bootstrap.py and lambda_runtime_marshaller.py of
# aws-lambda-python-runtime-interface-client
_IMPORT = """
import decimal, json, logging, time, traceback, {driver}
start = time.process_time()
import breakwater_runtime
breakwater_runtime.database(engine="{engine}", host="127.0.0.1", user="app")
print(time.process_time() - start)
"""


class Block(NamedTuple):
    """What an empty block takes.

    Attributes
    ----------
    processor
        In the processor's time.
    messages
        What sending the same messages over a bare socket, and reading the answers, takes of it.
    clock
        Among blocks without a pause between them, so with the server's work on the messages.
    """

    processor: float
    messages: float
    clock: float


def import_milliseconds(driver: str, engine: str, runs: int = 15) -> float:
    """Import the runtime for an engine whose driver is imported already: the least of processes of their own."""
    code = _IMPORT.format(driver=driver, engine=engine)
    command = [sys.executable, "-c", code]
    return 1000 * min(
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(runs)
    )


def block_microseconds(server: MariaDbServer | PostgreSqlServer) -> Block:
    """Enter and leave blocks that send nothing: all that an invocation pays for the runtime."""
    database = breakwater.database(**server.settings, autocommit=True, function_timeout=FUNCTION_SECONDS)

    def block() -> None:
        with database.connection():
            pass

    block()
    processor, clock = _step_microseconds(block)
    messages = _marks(database) if server.engine == "mariadb" else []
    bare = 0.0
    if messages:
        line = _session(database)._line._open()
        line.settimeout(10)
        time.sleep(0.1)  # until the last block's answers are there
        line.recv(65536)

        def send_them() -> None:
            answered = 0
            for message in messages:
                line.sendall(message)
            while answered < len(messages) * _ANSWER_BYTES:
                answered += len(line.recv(65536))

        bare, _ = _step_microseconds(send_them)
    database.close()
    return Block(processor, bare, clock)


def _step_microseconds(step: Callable[[], None], rounds: int = 25, steps: int = 300) -> tuple[float, float]:
    """Return the processor's time of a step in this thread, in the least disturbed round, and the clock's."""
    times = []
    for _ in range(rounds):
        processor, clock = time.thread_time(), time.perf_counter()
        for _ in range(steps):
            step()
        times.append((time.thread_time() - processor, time.perf_counter() - clock))
        time.sleep(0.1)  # what disturbs one round is over by another
    processors, clocks = zip(*times, strict=True)
    return 1e6 * min(processors) / steps, 1e6 * statistics.median(clocks) / steps


def _session(database: breakwater.Database[Any]) -> PyMySqlSession:
    session = database._keeper.session
    assert isinstance(session, PyMySqlSession)
    return session


def _marks(database: breakwater.Database[Any]) -> list[bytes]:
    """Return the two messages of an empty block on MariaDB."""
    session = _session(database)
    outbox = session.exchange.outbox
    session._post_begin(Deadline(None, FUNCTION_SECONDS))
    begin = bytes(outbox)
    outbox.clear()
    session.exchange.post(marks.END_OF_BLOCK)
    return [begin, bytes(outbox)]


def held_after(server: MariaDbServer | PostgreSqlServer, seconds: float) -> int:
    """Count the sessions of environments that nobody has called for so long."""
    environments = []
    for _ in range(ENVIRONMENTS):
        SLOTS.clear()  # one environment has one connection with one login
        environments.append(breakwater.database(**server.settings, function_timeout=FUNCTION_SECONDS))
        with environments[-1].connection():
            pass
    if server.sessions() != len(environments):
        raise RuntimeError(f"{server.sessions()} sessions of {len(environments)} environments")
    time.sleep(seconds)
    return server.sessions()


def connects_milliseconds(server: MariaDbServer, pairs: int = 200) -> tuple[float, float]:
    """Open verified connections, the runtime's and PyMySQL's with a ready SSLContext, in turn."""
    keeper = breakwater.database(**server.settings)._keeper
    login = keeper._credentials.login()
    context = ssl_context(server.settings["tls_ca"])
    arguments = {name: server.settings[name] for name in ("host", "port", "user", "password", "database")}

    def ours_takes() -> float:
        started = time.perf_counter()
        session = now(keeper.adapter.open(login, Deadline(None, 10)))
        taken = time.perf_counter() - started
        session.shut()
        return taken

    def drivers_takes() -> float:
        started = time.perf_counter()
        connection = pymysql.connect(**arguments, ssl=context, autocommit=True)
        taken = time.perf_counter() - started
        connection.close()
        return taken

    pairs_of_times = [(ours_takes(), drivers_takes()) for _ in range(pairs)]
    ours, drivers = zip(*pairs_of_times, strict=True)
    return 1000 * min(ours), 1000 * min(drivers)


def main() -> None:
    rows = [
        (f"import beside {driver}", import_milliseconds(driver, engine), "ms", 10.0)
        for driver, engine in (("pymysql", "mysql"), ("psycopg", "postgresql"))
    ]
    held: list[int] = []
    blocks: list[str] = []
    for server_type in (MariaDbServer, PostgreSqlServer):
        with server_type() as server:
            block = block_microseconds(server)
            name = f"own work of an invocation, {server.engine}"
            if block.messages:
                blocks.append(f"| {name}, its messages over a bare socket | {block.messages:.1f} µs | |")
            blocks.append(f"| empty blocks without a pause, {server.engine}, by the clock | {block.clock:.1f} µs | |")
            rows.append((name, block.processor - block.messages, "µs", 20.0))
            held.append(held_after(server, FORGOTTEN_SECONDS))
    certificates = Certificates()
    with MariaDbServer(certificates=certificates.right) as server:
        ours, driver = connects_milliseconds(server)
    lines = ["| step | measured | goal |", "|---|---|---|"]
    lines += [
        f"| {name} | {value:.1f} {unit} | at most {goal:.0f} {unit}: {'met' if value <= goal else '**missed**'} |"
        for name, value, unit, goal in rows
    ]
    lines += blocks
    verdict = "met" if ours <= 1.2 * driver else "**missed**"
    lines.append(
        f"| connect with verified TLS | {ours:.2f} ms, PyMySQL with a ready SSLContext {driver:.2f} ms: "
        f"{ours / driver:.2f} x | at most 1.2 x: {verdict} |"
    )
    lines.append(
        f"| connections held {FORGOTTEN_SECONDS} s after the last call | {sum(held)} of {2 * ENVIRONMENTS} "
        f"| 0 after 5 minutes: {'met' if not any(held) else '**missed**'} |"
    )
    text = "\n".join(lines)
    print(text)
    write("python -m benchmarks.runtime.steps", text)


if __name__ == "__main__":
    main()
