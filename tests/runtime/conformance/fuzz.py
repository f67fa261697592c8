"""A fuzz: invocations with transactions of every shape, through a network that misbehaves at random, from a seed.

`python -m tests.runtime.conformance.fuzz --seconds 3600 --seed 7 --client psycopg`

Four fuzzes of a client run side by side, each with the next seed, since they mostly wait. The seconds are those of all.

Each piece of work writes pairs of rows. `walk` loses each answer in turn, `run` does what the seed says. Whatever
happens to the line: what was acknowledged is there, once; what failed is not, unless the error says that it is unknown;
a pair is never half there; an answer belongs to its question.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from servers import MariaDbServer, PostgreSqlServer
from servers.sql import execute, rows

from tests.runtime.conformance.clients import CLIENTS, DRIVERS, Client
from tests.runtime.conformance.observer import observer
from tests.runtime.conformance.trouble import Fault, Trouble
from tests.runtime.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Session

    Shape = Callable[["Fuzz", Session, int, int], Awaitable[None]]

# the runtime gives up half a second earlier: a lost packet costs 0.7 s
SECONDS = 1.2
LEAST_INVOCATIONS = 20
AT_ONCE = 4
# nothing waits for a line that was cut
WALK_SECONDS = 20.0
MOST_MESSAGES = 60
_FAULTS = (
    [Fault.CUT_BEFORE] * 5 + [Fault.CUT_AFTER] * 5 + [Fault.SILENT_AFTERWARDS, Fault.MESSAGE_LOST, Fault.ANSWER_LOST]
)
_MARKERS = ("SELECT", "INSERT", "COMMIT", "COMMIT", "ROLLBACK", "SAVEPOINT", "")


class Given(Exception):  # noqa: N818 -- what the work raises by itself
    """The work's own failure."""


@dataclass
class Report:
    """What happened."""

    seed: int
    invocations: int = 0
    acknowledged: int = 0
    unknown: int = 0
    failed: int = 0
    struck: int = 0
    violations: list[str] = field(default_factory=list)


class Fuzz:
    """One client, one table, one seed."""

    def __init__(self, client: Client, server: SqlServer, seed: int) -> None:
        self._client = client
        self._server = server
        self._random = random.Random(seed)  # noqa: S311 -- a seed is the point
        self._table = f"fuzz_{CLIENTS.index(client.name)}_{seed}"
        self._last = 0
        self._seer: Any = None
        self.report = Report(seed)

    def run(self, seconds: float) -> Report:
        """Invoke until the time is over."""
        with self._environment(SECONDS) as (environment, network):
            ends = time.monotonic() + seconds
            while time.monotonic() < ends or self.report.invocations < LEAST_INVOCATIONS:
                if self._random.random() < 0.4:
                    network.at(
                        self._random.choice(_MARKERS),
                        self._random.choice(_FAULTS),
                        times=self._random.choice((1, 1, 2)),
                    )
                repeats = self._client.name in DRIVERS and self._random.random() < 0.6
                self._invoke(environment, network, self._random.choice(_SHAPES), repeats=repeats)
        return self.report

    def walk(self) -> Report:
        """Cut the line after each message of each shape, so that its answer is lost: by run() where there is one."""
        repeats = self._client.name in DRIVERS
        with self._environment(WALK_SECONDS) as (environment, network):
            for shape in _WALKED:
                self._walk(environment, network, shape, repeats=repeats)
        return self.report

    def _walk(self, environment: Any, network: Trouble, shape: Shape, *, repeats: bool) -> None:
        for passing in range(MOST_MESSAGES):
            # what the block before has sent last is on its way
            time.sleep(0.003)
            strikes = network.strikes
            network.at("", Fault.CUT_AFTER, passing=passing)
            error = self._invoke(environment, network, shape, repeats=repeats)
            if repeats and shape not in _COMMITTING and error is not None and "unknown" not in str(error):
                self.report.violations.append(f"{shape.__name__} was not repeated after {network.struck!r}: {error!r}")
            if network.strikes == strikes:
                return
        self.report.violations.append(f"{shape.__name__} has more than {MOST_MESSAGES} messages")

    @contextmanager
    def _environment(self, seconds: float) -> Iterator[tuple[Any, Trouble]]:
        with observer(self._server) as seer:
            self._seer = seer
            execute(seer, f"DROP TABLE IF EXISTS {self._table}", f"CREATE TABLE {self._table} (id INT, half INT)")
            with Trouble(self._server) as network:
                environment = self._client.open(network.settings(), seconds)
                yield environment, network
                environment.close()

    def _invoke(self, environment: Any, network: Trouble, shape: Shape, *, repeats: bool) -> Exception | None:
        self.report.invocations += 1
        before = network.strikes
        first, second = self._last + 1, self._last + 2
        self._last = second

        async def work(session: Session) -> None:
            await shape(self, session, first, second)

        async def block() -> None:
            async with environment.block() as session:
                await work(session)

        error: Exception | None = None
        try:
            if repeats:
                self._client.finish(environment.run(work))
            else:
                self._client.finish(block())
        except Exception as raised:
            error = raised
        network.at("", Fault.CUT_BEFORE, times=0)
        self.report.struck += network.strikes - before
        place = f", at {network.struck!r}" if network.strikes > before else ""
        self._judge(f"{shape.__name__}, {'run' if repeats else 'block'}{place}", first, second, error)
        return error

    def _judge(self, what: str, first: int, second: int, error: Exception | None) -> None:
        unknown = error is not None and "unknown" in str(error)
        if error is None:
            self.report.acknowledged += 1
        elif unknown:
            self.report.unknown += 1
            # a lost COMMIT may still be under way
            time.sleep(0.05)
        else:
            self.report.failed += 1
        statement = (
            f"SELECT id, count(*), count(DISTINCT half) FROM {self._table} WHERE id IN ({first}, {second}) GROUP BY id"
        )
        found = {number: (count, different) for number, count, different in rows(self._seer, statement)}
        pairs = [found.get(first, (0, 0)), found.get(second, (0, 0))]
        allowed = {(0, 0), (2, 2)}
        wrong = any(pair not in allowed for pair in pairs)
        if error is None:
            wrong = wrong or pairs != [(2, 2), (2, 2)]
        elif not unknown:
            # the first may have been committed by the work itself
            wrong = wrong or pairs[1] != (0, 0)
        if wrong:
            self.report.violations.append(f"invocation {self.report.invocations} ({what}): {pairs} after {error!r}")

    async def pair(self, session: Session, number: int) -> None:
        """Write both halves, and ask something in between."""
        await session.execute(f"INSERT INTO {self._table} VALUES ({number}, 1)")
        if (answer := await session.rows(f"SELECT {number}")) != [(number,)]:
            self.report.violations.append(f"SELECT {number} was answered {answer}")
        await session.execute(f"INSERT INTO {self._table} VALUES ({number}, 2)")

    async def undone(self, session: Session, number: int) -> None:
        """Write what is rolled back."""
        await session.execute(f"INSERT INTO {self._table} VALUES ({number}, 3)")


def side_by_side(name: str, server: SqlServer, seed: int, seconds: float) -> list[Report]:
    """Fuzz a client for so many seconds in all."""
    clients = [Client(name) for _ in range(AT_ONCE)]
    fuzzes = [Fuzz(client, server, own_seed) for own_seed, client in enumerate(clients, seed)]

    def one(fuzz: Fuzz) -> None:
        try:
            fuzz.run(seconds / AT_ONCE)
        except BaseException:
            fuzz.report.violations.append(traceback.format_exc())

    threads = [threading.Thread(target=one, args=(fuzz,)) for fuzz in fuzzes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    require_no_session(server)
    return [fuzz.report for fuzz in fuzzes]


def require_no_session(server: SqlServer) -> None:
    """Once the networks are gone, the server has heard of every line's end."""
    wait_until(lambda: server.sessions() == 0, seconds=SECONDS + 5)


async def _plain(fuzz: Fuzz, session: Session, first: int, second: int) -> None:
    await fuzz.pair(session, first)
    await fuzz.pair(session, second)


async def _committed_in_between(fuzz: Fuzz, session: Session, first: int, second: int) -> None:
    await fuzz.pair(session, first)
    await session.commit()
    await fuzz.pair(session, second)


async def _committed_by_itself(fuzz: Fuzz, session: Session, first: int, second: int) -> None:
    await fuzz.pair(session, first)
    await fuzz.pair(session, second)
    await session.commit()


async def _rolled_back_first(fuzz: Fuzz, session: Session, first: int, second: int) -> None:
    await fuzz.undone(session, first)
    await session.rollback()
    await fuzz.pair(session, first)
    await fuzz.pair(session, second)


async def _savepoint(fuzz: Fuzz, session: Session, first: int, second: int) -> None:
    await fuzz.pair(session, first)
    await session.execute("SAVEPOINT fuzz")
    await fuzz.undone(session, second)
    await session.execute("ROLLBACK TO SAVEPOINT fuzz")
    await fuzz.pair(session, second)


async def _committed_in_sql(fuzz: Fuzz, session: Session, first: int, second: int) -> None:
    await fuzz.pair(session, first)
    await session.execute("/* in SQL */ COMMIT")
    await fuzz.pair(session, second)


async def _failing(fuzz: Fuzz, session: Session, first: int, second: int) -> None:
    await fuzz.pair(session, first)
    await fuzz.pair(session, second)
    raise Given


_SHAPES = (
    _plain,
    _plain,
    _committed_in_between,
    _committed_by_itself,
    _rolled_back_first,
    _savepoint,
    _committed_in_sql,
    _failing,
)


_WALKED = (_committed_in_between, _committed_by_itself, _rolled_back_first, _savepoint, _committed_in_sql)
# run() repeats the others wherever the line is cut, but for the last COMMIT
_COMMITTING = (_committed_in_between, _committed_by_itself, _committed_in_sql)


def main() -> None:
    """Fuzz for as long as it is said, and say what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--client", choices=CLIENTS, action="append")
    options = parser.parse_args()
    clients = options.client or list(CLIENTS)
    failed = False
    for engine, kind in (("mariadb", MariaDbServer), ("postgresql", PostgreSqlServer)):
        own = [name for name in clients if Client.engine_of(name) == engine]
        if not own:
            continue
        with kind(max_connections=30) as server:
            for name in own:
                for report in side_by_side(name, server, options.seed, options.seconds / len(clients)):
                    print(f"{name}: {report}", flush=True)
                    failed = failed or bool(report.violations)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
