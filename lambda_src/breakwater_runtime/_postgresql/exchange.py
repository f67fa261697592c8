"""Statements of the runtime's own to PostgreSQL: below psycopg and its transactions, with a timeout."""

from __future__ import annotations

import select
from time import monotonic
from typing import TYPE_CHECKING

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from breakwater_runtime._core.liveness import CHECK_TIMEOUT_SECONDS, readable

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

    from breakwater_runtime._postgresql.driver import PulsedConnection

_MAX_UNSOLICITED_READS = 10


def is_idle(pgconn: PGconn) -> bool:
    """Tell whether a connection lives and waits for a statement; raise where its end is found while reading."""
    for _ in range(_MAX_UNSOLICITED_READS):
        if pgconn.status != ConnStatus.OK:
            return False
        if not readable(pgconn.socket):
            return pgconn.transaction_status == TransactionStatus.IDLE
        # a notification, a notice, or a farewell
        pgconn.consume_input()
    return False


def exchange(
    connection: PulsedConnection, statement: bytes, *, timeout: float | None = CHECK_TIMEOUT_SECONDS
) -> list[PGresult]:
    """Send a statement of the runtime's own and wait for its results, below psycopg and its transactions."""
    pgconn = connection.pgconn
    if connection.reset_sent:
        connection.reset_sent = False
        results_of(pgconn, timeout)
    pgconn.send_query(statement)
    results = results_of(pgconn, timeout)
    connection.last_used = monotonic()
    return results


def results_of(pgconn: PGconn, timeout: float | None) -> list[PGresult]:
    """Wait for the results of what was sent; None waits as long as the network holds."""
    deadline = None if timeout is None else monotonic() + timeout
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    while pgconn.flush():
        _wait(poll, deadline)
    results: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            _wait(poll, deadline)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return results
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
        results.append(result)


def _wait(poll: select.poll, deadline: float | None) -> None:
    milliseconds = None if deadline is None else max(0, int((deadline - monotonic()) * 1000))
    if not poll.poll(milliseconds):
        raise psycopg.OperationalError(f"the server did not answer within {CHECK_TIMEOUT_SECONDS} s")
