"""Every client behind one face, so that a promise is written once.

The face is asynchronous. For the blocking clients its coroutines never wait for anything, so `Client.finish` runs them
without an event loop.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import breakwater_runtime as breakwater
from breakwater_runtime.deadline import invocation
from tests.runtime.lambda_context import Context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator


class Session(ABC):
    """A connection within its block; `raw` is the driver's own object."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def execute(self, *statements: str) -> None:
        for statement in statements:
            await self.rows(statement)

    @abstractmethod
    async def rows(self, statement: str) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def stream(self, statement: str) -> AsyncIterator[tuple[Any, ...]]:
        """Yield the rows one by one, as the server sends them."""

    @abstractmethod
    async def commit(self) -> None: ...

    @abstractmethod
    async def rollback(self) -> None: ...

    async def id(self) -> int:
        """Return the number by which the server calls the session."""
        return (await self.rows(self._who))[0][0]

    _who = "SELECT CONNECTION_ID()"

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)


class PyMySqlSession(Session):
    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.raw.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    async def stream(self, statement: str) -> AsyncIterator[tuple[Any, ...]]:
        from pymysql.cursors import SSCursor

        with self.raw.cursor(SSCursor) as cursor:
            cursor.execute(statement)
            while (row := cursor.fetchone()) is not None:
                yield row

    async def commit(self) -> None:
        self.raw.commit()

    async def rollback(self) -> None:
        self.raw.rollback()


class AioMySqlSession(Session):
    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        async with self.raw.cursor() as cursor:
            await cursor.execute(statement)
            return list(await cursor.fetchall()) if cursor.description else []

    async def stream(self, statement: str) -> AsyncIterator[tuple[Any, ...]]:
        from aiomysql import SSCursor

        async with self.raw.cursor(SSCursor) as cursor:
            await cursor.execute(statement)
            while (row := await cursor.fetchone()) is not None:
                yield row

    async def commit(self) -> None:
        await self.raw.commit()

    async def rollback(self) -> None:
        await self.raw.rollback()

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class PsycopgSession(Session):
    _who = "SELECT pg_backend_pid()"

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = self.raw.execute(statement)
        return cursor.fetchall() if cursor.description else []

    async def stream(self, statement: str) -> AsyncIterator[tuple[Any, ...]]:
        with self.raw.cursor() as cursor:
            for row in cursor.stream(statement):
                yield row

    async def commit(self) -> None:
        self.raw.commit()

    async def rollback(self) -> None:
        self.raw.rollback()


class AsyncPsycopgSession(Session):
    _who = "SELECT pg_backend_pid()"

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = await self.raw.execute(statement)
        return await cursor.fetchall() if cursor.description else []

    async def stream(self, statement: str) -> AsyncIterator[tuple[Any, ...]]:
        async with self.raw.cursor() as cursor:
            async for row in cursor.stream(statement):
                yield row

    async def commit(self) -> None:
        await self.raw.commit()

    async def rollback(self) -> None:
        await self.raw.rollback()

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SqlAlchemySession(Session):
    async def id(self) -> int:
        mysql = self.raw.dialect.name in ("mysql", "mariadb")
        return (await self.rows("SELECT CONNECTION_ID()" if mysql else "SELECT pg_backend_pid()"))[0][0]

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        result = self.raw.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []

    async def stream(self, statement: str) -> AsyncIterator[tuple[Any, ...]]:
        for row in self.raw.execution_options(stream_results=True).exec_driver_sql(statement):
            yield tuple(row)

    async def commit(self) -> None:
        self.raw.commit()

    async def rollback(self) -> None:
        self.raw.rollback()


class Environment(ABC):
    """One execution environment's database, by one client."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._invocations = 0
        self._depth = 0

    @property
    def request_id(self) -> str:
        """The invocation's, as Lambda calls it."""
        return f"{id(self)}-{self._invocations}"

    @contextmanager
    def invocation(self, seconds: float | None = None) -> Iterator[Context]:
        """Yield Lambda's context: the same invocation's within a block, else a new one's."""
        if self._depth == 0:
            self._invocations += 1
        counted = False
        try:
            # within, since a signal may strike here, too
            self._depth, counted = self._depth + 1, True
            # an engine has no context; Lambda sets the variable anew for each invocation
            os.environ["_X_AMZN_TRACE_ID"] = f"Root={self.request_id}"
            yield Context(seconds or self.seconds, self.request_id)
        finally:
            if counted:
                self._depth -= 1

    @abstractmethod
    def block(self, seconds: float | None = None) -> Any:
        """Return an asynchronous context manager that yields a Session."""

    @abstractmethod
    def close(self) -> None: ...


class BlockingEnvironment(Environment):
    def __init__(self, settings: dict[str, Any], seconds: float, session: type[Session]) -> None:
        super().__init__(seconds)
        self.database = breakwater.database(**settings)
        self._session = session

    @asynccontextmanager
    async def block(self, seconds: float | None = None) -> AsyncIterator[Session]:
        with self.invocation(seconds) as context, self.database.connection(context) as connection:
            yield self._session(connection)

    async def run(self, work: Callable[[Session], Awaitable[Any]]) -> Any:
        """Do the work by `run()`, which repeats it where that is right."""
        with self.invocation() as context:
            return self.database.run(lambda connection: _finish_at_once(work(self._session(connection))), context)

    def close(self) -> None:
        self.database.close()


class AsyncEnvironment(Environment):
    def __init__(self, settings: dict[str, Any], seconds: float, session: type[Session]) -> None:
        super().__init__(seconds)
        self.database = breakwater.async_database(**settings)
        self._session = session

    @asynccontextmanager
    async def block(self, seconds: float | None = None) -> AsyncIterator[Session]:
        with self.invocation(seconds) as context:
            async with self.database.connection(context) as connection:
                yield self._session(connection)

    async def run(self, work: Callable[[Session], Awaitable[Any]]) -> Any:
        """Do the work by `run()`, which repeats it where that is right."""
        with self.invocation() as context:
            return await self.database.run(lambda connection: work(self._session(connection)), context)

    def close(self) -> None:
        self.database.close()


class EngineEnvironment(Environment):
    def __init__(self, settings: dict[str, Any], seconds: float, session: type[Session]) -> None:
        super().__init__(seconds)
        self.database = breakwater.database(**settings)
        self.engine = self.database.engine()
        self._session = session

    @asynccontextmanager
    async def block(self, seconds: float | None = None) -> AsyncIterator[Session]:
        # an engine has no argument for the context
        with (
            self.invocation(seconds) as context,
            invocation(context),
            self.engine.connect() as connection,
        ):
            yield self._session(connection)
            connection.commit()

    def close(self) -> None:
        self.engine.dispose()
        self.database.close()


_KINDS: dict[str, tuple[str, type[BlockingEnvironment | AsyncEnvironment | EngineEnvironment], type[Session]]] = {
    "PyMySQL": ("mariadb", BlockingEnvironment, PyMySqlSession),
    "aiomysql": ("mariadb", AsyncEnvironment, AioMySqlSession),
    "SQLAlchemy, PyMySQL": ("mariadb", EngineEnvironment, SqlAlchemySession),
    "psycopg": ("postgresql", BlockingEnvironment, PsycopgSession),
    "psycopg async": ("postgresql", AsyncEnvironment, AsyncPsycopgSession),
    "SQLAlchemy, psycopg": ("postgresql", EngineEnvironment, SqlAlchemySession),
}
CLIENTS = tuple(_KINDS)
DRIVERS = ("PyMySQL", "aiomysql", "psycopg", "psycopg async")
"""Those without SQLAlchemy in between; they have `run()`."""


class Client:
    """One of `CLIENTS`.

    Attributes
    ----------
    name
        As in the table.
    engine
        The name of its server's fixture.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine, self._environment, self._session = _KINDS[name]
        self._loop: asyncio.AbstractEventLoop | None = None
        if self._environment is AsyncEnvironment:
            self._loop = asyncio.new_event_loop()
        self._opened: list[Environment] = []

    @staticmethod
    def engine_of(name: str) -> str:
        """Return the engine that a client speaks to."""
        return _KINDS[name][0]

    def open(self, settings: dict[str, Any], seconds: float, **arguments: Any) -> Any:
        """Start an environment whose function may take so many seconds."""
        environment = self._environment(settings | {"function_timeout": seconds} | arguments, seconds, self._session)
        self._opened.append(environment)
        return environment

    def finish(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end."""
        return self._loop.run_until_complete(work) if self._loop else _finish_at_once(work)

    def close(self) -> None:
        """Close every environment."""
        for environment in self._opened:
            environment.close()
        if self._loop:
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def statement(self, *, mariadb: str, postgresql: str) -> str:
        """Return the one for this client's engine."""
        return mariadb if self.engine == "mariadb" else postgresql


async def awaited(value: Any) -> Any:
    """Return what a method of a driver's returns, a coroutine or not."""
    return await value if inspect.isawaitable(value) else value


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of a driver's, whichever of the two kinds it is."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


async def each(values: Any) -> AsyncIterator[Any]:
    """Go through what a driver yields, whichever of the two kinds of iterator it is."""
    if hasattr(values, "__aiter__"):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value


def _finish_at_once(work: Coroutine[Any, Any, Any] | Awaitable[Any]) -> Any:
    steps: Iterator[Any] = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    raise AssertionError("a blocking client waited for an event loop")
