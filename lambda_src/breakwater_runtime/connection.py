"""One connection per execution environment: opened when first needed, kept alive, healed, given back."""

from __future__ import annotations

import os
import threading
import weakref
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any, TypeVar

from breakwater_runtime import snapstart
from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS
from breakwater_runtime._core.pulse import Pulse
from breakwater_runtime._core.server_pressure import ServerPressure
from breakwater_runtime.credentials import Credentials
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.errors import BreakwaterError, ConfigurationError, ConnectionUnavailable
from breakwater_runtime.metrics import Counters
from breakwater_runtime.retry import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy

    from breakwater_runtime._core.driver import Driver
    from breakwater_runtime.environment import Settings

    Result = TypeVar("Result")

_databases: weakref.WeakSet[Database] = weakref.WeakSet()


class Lease:
    """A connection, lent for the duration of a `with` block.

    Attributes
    ----------
    committing
        Whether the block's own code is over.
    """

    __slots__ = ("_connection", "_context", "_database", "committing")

    def __init__(self, database: Database, context: object | None) -> None:
        self._database = database
        self._context = context
        self._connection: Any = None
        self.committing = False

    def __enter__(self) -> Any:
        deadline = Deadline(self._context, self._database._settings.function_timeout)
        self._connection = self._database._begin(deadline)
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        connection, self._connection = self._connection, None
        self.committing = kind is None
        try:
            self._database._finish(connection, failed=kind is not None)
        finally:
            self._database._end()
            self._database.counters.flush(self._context)


class Database:
    """One database as one execution environment sees it. Made by `database()` (sql_database.py)."""

    def __init__(self, settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> None:
        self._settings = settings
        self._driver = driver_for(settings, autocommit=autocommit, options=options)
        self._credentials = Credentials(settings)
        metrics = os.environ.get("BREAKWATER_METRICS", "").lower()
        self.counters = Counters(settings.name or settings.engine, on=False if metrics == "off" else None)
        self._pressure = ServerPressure(self._driver, self.counters)
        self._in_use = threading.Lock()
        self._user: int | None = None
        self._reset()
        if not _databases:
            snapstart.register(_close_all)
        _databases.add(self)

    def _reset(self) -> None:
        self._connection: Any = None
        self._pulse = Pulse(self._driver)
        self._used_at = (0.0, 0.0)

    def connection(self, context: object | None = None) -> Lease:
        """Lend the environment's connection for a block: `with database.connection(context) as connection`.

        The block is a transaction: committed when it ends well, rolled back when an exception leaves it. Nothing of a
        session's state is left to the next block.

        Parameters
        ----------
        context
            Lambda's context, whose remaining time bounds all waiting; None: the function's timeout, else 15 s.

        Returns
        -------
        Lease
            A context manager that yields the driver's own connection object.

        Raises
        ------
        ConnectionUnavailable
            On entry: no connection until 0.5 s before the deadline.
        """
        return Lease(self, context)

    def run(self, work: Callable[[Any], Result], context: object | None = None, *, read_only: bool = False) -> Result:
        """Call `work(connection)` in a block, and again if the server lost the transaction before it was committed.

        A failover, a deadlock or a lost connection rolls a transaction back, so nothing is done twice in the database.
        An error while committing is not repeated, since the commit may have been done.

        Parameters
        ----------
        work
            What to do; its effects outside the database must bear repetition.
        context
            As for `connection`.
        read_only
            The work writes nothing, so that it is repeated whatever was lost. Needed with autocommit.

        Returns
        -------
        Result
            What `work` returned.
        """
        if self._driver.autocommit and not read_only:
            raise ConfigurationError(
                "run() repeats the work, and with autocommit=True a repeated write would be written twice. "
                "Use autocommit=False, or read_only=True for work that writes nothing."
            )
        deadline = Deadline(context, self._settings.function_timeout)
        attempts = Attempts(self._target, deadline)
        while True:
            block = Lease(self, context)
            try:
                with block as connection:
                    return work(connection)
            except Exception as error:
                repeatable = read_only or not block.committing
                if not repeatable or not self._driver.is_rolled_back(error):
                    raise
                self.counters.waits += 1
                attempts.failed(error)

    def engine(self, **options: Any) -> sqlalchemy.Engine:
        """Make an SQLAlchemy engine for this database: one connection, alive, verified, clean.

        Parameters
        ----------
        options
            More arguments for `sqlalchemy.create_engine`.
        """
        from breakwater_runtime.sqlalchemy_engine import create_engine

        # SQLAlchemy begins and commits by itself, and knows no blocks: no pulse, so no mark either
        driver = driver_for(self._settings, autocommit=False, options=self._driver.options)

        def connect() -> Any:
            return self._connect(driver, Deadline(None, self._settings.function_timeout), pulse=False)

        return create_engine(driver, connect, options)

    def close(self) -> None:
        """Close the connection, as before a SnapStart snapshot; the next block opens another."""
        with self._in_use:
            self._drop()

    @property
    def _target(self) -> str:
        settings = self._settings
        return f"{settings.engine} at {settings.host or settings.secret_arn}:{settings.port or 'default port'}"

    def _begin(self, deadline: Deadline) -> Any:
        thread = threading.get_ident()
        if not self._in_use.acquire(blocking=False):
            if self._user == thread:
                raise BreakwaterError(
                    "This thread already uses the environment's one connection. Pass it on instead of asking again."
                )
            self.counters.waits += 1
            if not self._in_use.acquire(timeout=max(0.0, deadline.remaining())):
                raise ConnectionUnavailable(f"{self._target}: another thread of this invocation kept the connection", 0)
        self._user = thread
        try:
            connection = self._living() or self._open(deadline)
            self._driver.begin_invocation(connection, deadline.remaining())
        except BaseException:
            self._end()
            raise
        self._pulse.start(connection)
        return connection

    def _living(self) -> Any:
        connection = self._connection
        if connection is None:
            return None
        # whichever clock ran on while the environment was frozen
        pause = max(monotonic() - self._used_at[0], time() - self._used_at[1])
        if self._driver.is_alive(connection) and (pause < CHECK_AFTER_SECONDS or self._driver.answers(connection)):
            self.counters.reuses += 1
            return connection
        self.counters.heals += 1
        self._drop()
        return None

    def _open(self, deadline: Deadline) -> Any:
        while self._connection is None:
            self._connection = self._connect(self._driver, deadline, pulse=True)
            # before the first statement: others may be waiting for the room that it makes
            self._look(self._connection)
        return self._connection

    def _connect(self, driver: Driver, deadline: Deadline, *, pulse: bool) -> Any:
        attempts = Attempts(self._target, deadline)
        while True:
            login = self._credentials.login(deadline)
            try:
                connection = driver.connect(login, deadline.remaining(), pulse=pulse)
            except Exception as error:
                pause = self._credentials.pause_after_refusal(deadline) if driver.is_login_refused(error) else None
                if pause is not None:
                    sleep(pause)
                    continue
                if not driver.is_retryable(error):
                    raise self._credentials.refusal(error)  # noqa: B904 -- mostly the driver's own
                if driver.is_server_full(error):
                    self._pressure.refused()
                self.counters.waits += 1
                attempts.failed(error)
            else:
                self._credentials.accepted()
                self.counters.connects += 1
                return connection

    def _look(self, connection: Any) -> None:
        try:
            self._pressure.look(connection)
        except Exception as error:
            # the look is a courtesy; what matters is whether the connection still works
            if self._driver.is_rolled_back(error) or not self._driver.is_alive(connection):
                self._drop()

    def _finish(self, connection: Any, *, failed: bool) -> None:
        self._pulse.stop()
        try:
            if failed:
                self._driver.rollback(connection)
            else:
                self._driver.commit(connection)
            self._look(connection)
            if self._pressure.full and self._connection is not None:
                self.counters.closes += 1
                self._drop()
        except BaseException:
            # of unknown state, so not for another block
            self._drop()
            if not failed:
                raise

    def _end(self) -> None:
        self._used_at = (monotonic(), time())
        self._user = None
        self._in_use.release()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._driver.close(connection)

    def _forget(self) -> None:
        """In a forked child: leave the parent's connection to the parent."""
        self._in_use = threading.Lock()
        self._user = None
        self._abandoned = self._connection
        self._reset()


def _close_all() -> None:
    for known in list(_databases):
        known.close()


def _forget_all() -> None:
    for known in list(_databases):
        known._forget()


os.register_at_fork(after_in_child=_forget_all)


def driver_for(settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> Driver:
    """Make the driver of an engine; the library behind it is imported here, not before."""
    if settings.engine in ("mysql", "mariadb"):
        from breakwater_runtime._mysql.driver import MySql

        return MySql(settings, autocommit=autocommit, options=options)
    if settings.engine == "postgresql":
        from breakwater_runtime._postgresql.driver import PostgreSql

        return PostgreSql(settings, autocommit=autocommit, options=options)
    raise settings.error("engine", settings.engine, "breakwater.database speaks mysql, mariadb and postgresql.")
