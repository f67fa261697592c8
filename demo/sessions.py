"""How many connections functions hold: looked at often, and checked against the high-water mark of the server."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from servers import MariaDbServer

from demo.administrator import administrator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from demo.administrator import SqlServer

LOOK_EVERY_SECONDS = 0.02

# PostgreSQL keeps no high-water mark. The number of sessions rises only at a login: counted there, none is missed.
_COUNT_AT_LOGIN = """
    CREATE SCHEMA IF NOT EXISTS high_water_mark;
    CREATE UNLOGGED TABLE IF NOT EXISTS high_water_mark.logins (sessions bigint NOT NULL);
    TRUNCATE high_water_mark.logins;
    CREATE OR REPLACE FUNCTION high_water_mark.count() RETURNS event_trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN
            INSERT INTO high_water_mark.logins SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}';
        END $$;
    DROP EVENT TRIGGER IF EXISTS high_water_mark;
    CREATE EVENT TRIGGER high_water_mark ON login EXECUTE FUNCTION high_water_mark.count();
    """
_REFUSALS = re.compile("FATAL: +(sorry, too many clients already|remaining connection slots are reserved)")


class Sessions:
    """The application user's sessions on a server, watched for as long as the block lasts.

    Attributes
    ----------
    now
        At the last look.
    peak
        The most there ever were: by the looks and, once the block is over, by the server's own high-water mark too,
        which misses none.
    refused
        Connections that the server refused since it had too many; known once the block is over.
    """

    def __init__(self, server: SqlServer) -> None:
        self._server = server
        self._mariadb = isinstance(server, MariaDbServer)
        self._admin = administrator(server)
        self._over = threading.Event()
        self._threads = ThreadPoolExecutor(1)
        self.now = self.peak = self.refused = 0

    def __enter__(self) -> Self:
        with self._admin.cursor() as cursor:
            cursor.execute("FLUSH STATUS" if self._mariadb else _COUNT_AT_LOGIN.format(user=self._server.user))
        self._refused_before = self._count_refused()
        self._looks = self._threads.submit(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._admin, self._threads:
            self._looks.result()  # raises what went wrong there
            self.peak = max(self.peak, self._high_water_mark())
            self.refused = self._count_refused() - self._refused_before

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_SECONDS):
            self.now = self._count()
            self.peak = max(self.peak, self.now)

    def _count(self) -> int:
        if self._mariadb:
            # not from information_schema, which takes a temporary table for each look
            return sum(row[1] == self._server.user for row in self._rows("SHOW PROCESSLIST"))
        return self._number("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", self._server.user)

    def _high_water_mark(self) -> int:
        if self._mariadb:
            # It counts this administrator's connection too; and, in the slot that MariaDB keeps beyond
            # max_connections for administrators, a client that is being told that there are too many.
            mark = self._number("SHOW GLOBAL STATUS LIKE 'Max_used_connections'") - 1
            return min(mark, self._server.max_connections)
        return self._number("SELECT COALESCE(MAX(sessions), 0) FROM high_water_mark.logins")

    def _count_refused(self) -> int:
        if self._mariadb:
            # Not Connection_errors_max_connections, which leaves those out that got as far as the administrators' slot.
            return self._number("SHOW GLOBAL STATUS LIKE 'Aborted_connects'")
        return len(_REFUSALS.findall((self._server.folder / "log").read_text(errors="replace")))

    def _number(self, statement: str, *arguments: str) -> int:
        return int(self._rows(statement, *arguments)[0][-1])

    def _rows(self, statement: str, *arguments: str) -> Sequence[tuple[Any, ...]]:
        with self._admin.cursor() as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchall()


def wait_until_none(server: SqlServer, patience_seconds: float) -> None:
    """Wait until no function holds a connection any more.

    Raises
    ------
    TimeoutError
        If one still does after `patience_seconds`.
    """
    deadline = time.monotonic() + patience_seconds
    while server.sessions():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{server.sessions()} sessions outlive the functions that opened them")
        time.sleep(0.1)
