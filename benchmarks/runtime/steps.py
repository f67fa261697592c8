"""`python -m benchmarks.runtime.steps`: what the runtime itself costs, beside the driver alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pymysql
from servers import Certificates, MariaDbServer, PostgreSqlServer

import breakwater_runtime as breakwater
from benchmarks.runtime.write import write
from breakwater_runtime._core.session import now
from breakwater_runtime._core.slot import SLOTS
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.tls import ssl_context

ENVIRONMENTS = 10
FORGOTTEN_SECONDS = 70
FUNCTION_SECONDS = 30
"""Its timeout, which the constructs tell the runtime, and from which the server's own follow."""

# What Lambda's own runtime has imported before the handler. Source: bootstrap.py and lambda_runtime_marshaller.py of
# aws-lambda-python-runtime-interface-client
_IMPORT = """
import decimal, json, logging, time, traceback, {driver}
start = time.perf_counter()
import breakwater_runtime
breakwater_runtime.database(engine="{engine}", host="127.0.0.1", user="app")
print(time.perf_counter() - start)
"""


def median_import_milliseconds(driver: str, engine: str, runs: int = 15) -> float:
    """Import the runtime for an engine whose driver is imported already, in processes of their own."""
    code = _IMPORT.format(driver=driver, engine=engine)
    command = [sys.executable, "-c", code]
    return 1000 * statistics.median(
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(runs)
    )


def median_block_microseconds(server: MariaDbServer | PostgreSqlServer, blocks: int = 2000) -> float:
    """Enter and leave blocks that send nothing: all that an invocation pays for the runtime."""
    database = breakwater.database(**server.settings, autocommit=True)
    with database.connection():
        pass
    times = []
    for _ in range(blocks):
        started = time.perf_counter()
        with database.connection():
            pass
        times.append(time.perf_counter() - started)
    database.close()
    return 1e6 * statistics.median(times)


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


def median_connects_milliseconds(server: MariaDbServer, pairs: int = 60) -> tuple[float, float]:
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
    return 1000 * statistics.median(ours), 1000 * statistics.median(drivers)


def main() -> None:
    rows = [
        (f"import beside {driver}", median_import_milliseconds(driver, engine), "ms", 10.0)
        for driver, engine in (("pymysql", "mysql"), ("psycopg", "postgresql"))
    ]
    held = []
    for server_type in (MariaDbServer, PostgreSqlServer):
        with server_type() as server:
            rows.append((f"own work of an invocation, {server.engine}", median_block_microseconds(server), "µs", 20.0))
            held.append(held_after(server, FORGOTTEN_SECONDS))
    certificates = Certificates()
    with MariaDbServer(certificates=certificates.right) as server:
        ours, driver = median_connects_milliseconds(server)
    lines = ["| step | median | goal |", "|---|---|---|"]
    lines += [
        f"| {name} | {value:.1f} {unit} | at most {goal:.0f} {unit}: {'met' if value <= goal else '**missed**'} |"
        for name, value, unit, goal in rows
    ]
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
