"""The life of three environments' connections to one server: whatever happens, in whatever order, from a seed."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import secrets
import signal
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from servers import MariaDbServer
from servers.sql import SqlServer, end_session, execute, rows, session

import breakwater_runtime as breakwater
from breakwater_runtime import credentials
from breakwater_runtime._core import server_pressure
from breakwater_runtime._core.session import now
from breakwater_runtime._secret import Secret
from breakwater_runtime.deadline import Deadline
from tests.runtime.lambda_context import Context

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = float(os.environ.get("BREAKWATER_FUZZ_SECONDS", "180")) / 30
SEED = 7
DRIVER_ERRORS = (pymysql.Error, psycopg.Error, breakwater.BreakwaterError)
ENVIRONMENTS = 3
numbers = itertools.count(1)


class HandlerError(Exception):
    """What a handler raises."""


class Life:
    """`written` is what callers were told is committed."""

    def __init__(self, server: SqlServer, chance: random.Random) -> None:
        self.server = server
        self._random = chance
        self.password = self.server.password
        # what Secrets Manager would answer; the environments learn of a rotation when a login fails
        credentials.fetch = self._secret
        self.databases = [self._environment() for _ in range(ENVIRONMENTS)]
        self.written: set[int] = set()
        with self.databases[0].connection(Context(20)) as connection:
            execute(connection, "DROP TABLE IF EXISTS life", "CREATE TABLE life (number INT)")

    def _secret(self, arn: str, deadline: Deadline) -> Secret:
        assert arn == "secret"
        return Secret(user="app", password=self.password)

    def _environment(self) -> breakwater.Database:
        arguments = {name: self.server.settings[name] for name in ("engine", "host", "port", "database")}
        return breakwater.database(**arguments, secret_arn="secret", max_connections=1000)

    def end(self) -> None:
        for database in self.databases:
            database.close()

    def _insert(self, connection: Any) -> int:
        number = next(numbers)
        execute(connection, f"INSERT INTO life VALUES ({number})")  # noqa: S608
        return number

    def invoke(self, environment: int) -> None:
        with self.databases[environment].connection(Context(20)) as connection:
            number = self._insert(connection)
        self.written.add(number)

    def error_in_the_handler(self, environment: int) -> None:
        with contextlib.suppress(HandlerError), self.databases[environment].connection(Context(20)) as connection:
            self._insert(connection)
            raise HandlerError

    def session_lost_within_an_invocation(self, environment: int) -> None:
        with contextlib.suppress(*DRIVER_ERRORS), self.databases[environment].connection(Context(20)) as connection:
            self._insert(connection)
            end_session(self.server, session(self.server, connection))
            time.sleep(0.02)
            self._insert(connection)

    def session_lost_within_run(self, environment: int) -> None:
        lost: list[int] = []

        def work(connection: Any) -> int:
            number = self._insert(connection)
            if not lost:
                lost.append(number)
                end_session(self.server, session(self.server, connection))
                time.sleep(0.02)
                rows(connection, "SELECT 1")
            return number

        self.written.add(self.databases[environment].run(work, Context(20)))

    def session_ended_while_frozen(self, environment: int) -> None:
        with self.databases[environment].connection(Context(20)) as connection:
            number = session(self.server, connection)
        end_session(self.server, number)

    def freeze(self, environment: int) -> None:
        """Let a long pause pass, as the environment's own clocks tell it."""
        self.databases[environment]._keeper._used_at = (0.0, 0.0)

    def state_left_in_the_session(self, environment: int) -> None:
        statement = "SET @tenant = 7" if isinstance(self.server, MariaDbServer) else "SET app.tenant = '7'"
        question = (
            "SELECT @tenant"
            if isinstance(self.server, MariaDbServer)
            else "SELECT nullif(current_setting('app.tenant', true), '')"
        )
        with self.databases[environment].connection(Context(20)) as connection:
            execute(connection, statement)
        with self.databases[environment].connection(Context(20)) as connection:
            assert rows(connection, question)[0][0] is None

    def hunt(self, environment: int) -> None:
        """One environment ends the sessions of the others, none of which is within an invocation."""
        idle_seconds = self._random.choice((0, 1, server_pressure.ZOMBIE_SECONDS))
        database = self.databases[environment]
        # whoever is ended has been idle for so long
        for other in range(ENVIRONMENTS):
            self.freeze(other)
        with database.connection(Context(20)):
            hunting = database._keeper.session
            assert hunting is not None
            before = self.server.sessions()
            ended = now(hunting.hunt(idle_seconds))
            # the statement returns before the sessions are gone; one of them may be of a connection closed long ago
            deadline = time.monotonic() + 2
            while self.server.sessions() > before - ended and time.monotonic() < deadline:
                time.sleep(0.005)

    def restart(self, _: int) -> None:
        crash = signal.SIGKILL if isinstance(self.server, MariaDbServer) else signal.SIGQUIT
        self.server.stop(signal_number=crash)
        self.server.start()

    def rotate(self, _: int) -> None:
        self.password = secrets.token_urlsafe(12)
        statement = (
            f"ALTER USER app@'127.0.0.1' IDENTIFIED BY '{self.password}'"
            if isinstance(self.server, MariaDbServer)
            else f"ALTER ROLE app PASSWORD '{self.password}'"
        )
        with self.server.admin() as admin:
            execute(admin, statement)
        self.server.password = self.password

    def never_more_than_the_granted_connections(self) -> None:
        # a session that was just closed needs a moment to go
        for _ in range(50):
            if (sessions := self.server.sessions()) <= ENVIRONMENTS:
                return
            time.sleep(0.02)
        pytest.fail(f"{sessions} sessions of {ENVIRONMENTS} environments")

    def no_transaction_is_left_open(self) -> None:
        question = (
            "SELECT COUNT(*) FROM information_schema.innodb_trx"
            if isinstance(self.server, MariaDbServer)
            else "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state LIKE 'idle in transaction%'"
        )
        for _ in range(50):
            with self.server.admin() as admin:
                if rows(admin, question)[0][0] == 0:
                    return
            time.sleep(0.02)
        pytest.fail("a transaction is open between invocations")

    def everything_is_written_once(self) -> None:
        with self.databases[0].connection(Context(20)) as connection:
            found = [row[0] for row in rows(connection, "SELECT number FROM life")]
        assert sorted(found) == sorted(self.written)


EVENTS: tuple[Callable[[Life, int], None], ...] = (
    Life.invoke,
    Life.error_in_the_handler,
    Life.session_lost_within_an_invocation,
    Life.session_lost_within_run,
    Life.session_ended_while_frozen,
    Life.freeze,
    Life.state_left_in_the_session,
    Life.hunt,
    Life.restart,
    Life.rotate,
)
RARE = (Life.restart, Life.rotate)


def test_life(server_type: type[SqlServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "fetch", credentials.fetch)
    live(server_type, SEED, SECONDS)


def live(server_type: type[SqlServer], seed: int, seconds: float) -> None:
    chance = random.Random(seed)  # noqa: S311 -- a seed is the point
    trail: list[str] = []
    with server_type() as server:
        life = Life(server, chance)
        each_once = chance.sample(EVENTS, len(EVENTS))
        ends = time.monotonic() + seconds
        try:
            while each_once or time.monotonic() < ends:
                event = each_once.pop() if each_once else chance.choice(EVENTS)
                if event in RARE and len(trail) > 2 * len(EVENTS) and chance.random() < 0.7:
                    continue
                environment = chance.randrange(ENVIRONMENTS)
                trail.append(f"{event.__name__}({environment})")
                event(life, environment)
                life.never_more_than_the_granted_connections()
                life.no_transaction_is_left_open()
                life.everything_is_written_once()
        except BaseException as error:
            raise AssertionError(f"seed {seed}, after {', '.join(trail[-12:])}") from error
        life.end()
