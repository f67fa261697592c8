"""How a handler may treat its connection. Each makes a function that runs one invocation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import breakwater_runtime as breakwater

if TYPE_CHECKING:
    from collections.abc import Callable

    Invocation = Callable[[], None]

DEADLINE_SECONDS = 15


class Context:
    """Lambda's context of an invocation with 15 s."""

    def __init__(self) -> None:
        self._end = time.monotonic() + DEADLINE_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


def work(connection: Any, sleep: str) -> None:
    """Two selects by key and 100 ms of waiting in the server, while it holds the connection."""
    with connection.cursor() as cursor:
        for number in (7, 42):
            cursor.execute("SELECT name FROM products WHERE id = %s", (number,))
            assert cursor.fetchone() is not None
        cursor.execute(sleep)
        cursor.fetchone()


def _sleep(settings: dict[str, Any]) -> str:
    return "SELECT SLEEP(0.1)" if settings["engine"] == "mariadb" else "SELECT pg_sleep(0.1)"


def _connect(settings: dict[str, Any]) -> Any:
    login = {name: settings[name] for name in ("host", "port", "user", "password")}
    if settings["engine"] == "mariadb":
        import pymysql  # noqa: PLC0415, RUF100

        return pymysql.connect(**login, database=settings["database"], autocommit=True, ssl_disabled=True)
    import psycopg  # noqa: PLC0415, RUF100

    return psycopg.connect(**login, dbname=settings["database"], autocommit=True, sslmode="disable")


def open_and_close(settings: dict[str, Any]) -> Invocation:
    sleep = _sleep(settings)

    def invoke() -> None:
        connection = _connect(settings)
        try:
            work(connection, sleep)
        finally:
            connection.close()

    return invoke


def keep_open(settings: dict[str, Any]) -> Invocation:
    """One connection, asked before each use whether it lives, opened anew when not."""
    sleep = _sleep(settings)
    kept: list[Any] = []

    def alive() -> bool:
        try:
            if settings["engine"] == "mariadb":
                kept[0].ping(reconnect=False)
            else:
                kept[0].execute("SELECT 1")
        except Exception:
            kept.clear()
            return False
        return True

    def invoke() -> None:
        if not kept or not alive():
            kept[:] = [_connect(settings)]
        work(kept[0], sleep)

    return invoke


def psycopg_pool(settings: dict[str, Any]) -> Invocation:
    """A pool of one connection, which is checked before each use."""
    from psycopg_pool import ConnectionPool  # noqa: PLC0415, RUF100

    sleep = _sleep(settings)
    pool = ConnectionPool(
        kwargs={
            **{name: settings[name] for name in ("host", "port", "user", "password")},
            "dbname": settings["database"],
            "autocommit": True,
            "sslmode": "disable",
        },
        min_size=0,
        max_size=1,
        check=ConnectionPool.check_connection,
        timeout=DEADLINE_SECONDS - 0.5,
    )

    def invoke() -> None:
        with pool.connection() as connection:
            work(connection, sleep)

    return invoke


def ours(settings: dict[str, Any]) -> Invocation:
    sleep = _sleep(settings)
    database = breakwater.database(**settings, autocommit=True)

    def invoke() -> None:
        database.run(lambda connection: work(connection, sleep), Context(), read_only=True)

    return invoke


PYTHON = {
    "open and close": open_and_close,
    "keep open, ping": keep_open,
    "psycopg_pool": psycopg_pool,
    "breakwater": ours,
}
# the engines that they speak to
NODE = {
    "serverless-mysql": ("mariadb",),
    "serverless-postgres": ("postgresql",),
    "breakwater for Node.js": ("mariadb", "postgresql"),
}


def of(engine: str) -> list[str]:
    """Name the strategies for an engine."""
    python = [name for name in PYTHON if name != "psycopg_pool" or engine == "postgresql"]
    return python[:-1] + [name for name, engines in NODE.items() if engine in engines] + python[-1:]
