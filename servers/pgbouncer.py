"""PgBouncer before a PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import signal
from typing import TYPE_CHECKING, Any

import psycopg

from servers.server import UNPRIVILEGED, Server, binary

if TYPE_CHECKING:
    from servers.postgresql import PostgreSqlServer

POOL_SIZE = 2


class PgBouncer(Server):
    """A PgBouncer that shares two connections to a server: by transactions, and as "by_session" by sessions.

    Parameters
    ----------
    behind
        The server; user, password and database are its own.
    """

    engine = "postgresql"
    _stop_signal = signal.SIGINT

    def __init__(self, behind: PostgreSqlServer) -> None:
        super().__init__(behind.max_connections, None, require_tls=False)
        self._behind = behind
        self.user, self.password, self.database = behind.user, behind.password, behind.database

    def _process_options(self) -> dict[str, Any]:
        # it refuses to run as root
        if os.geteuid():
            return {}
        nobody = pwd.getpwnam(UNPRIVILEGED)
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _initialise(self) -> None:
        self.folder.chmod(0o755)

    def _command(self) -> list[str]:
        users, settings = self.folder / "users", self.folder / "pgbouncer.ini"
        users.write_text(f'"{self.user}" "{self.password}"\n')
        server = f"host={self._behind.host} port={self._behind.port} dbname={self._behind.database}"
        settings.write_text(
            f"[databases]\n{self.database} = {server} pool_mode=transaction\nby_session = {server} pool_mode=session\n"
            f"[pgbouncer]\nlisten_addr = {self.host}\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {users}\nadmin_users = {self.user}\n"
            f"default_pool_size = {POOL_SIZE}\nmax_client_conn = {self.max_connections}\n"
        )
        for file in (users, settings):
            file.chmod(0o600)
            if options := self._process_options():
                os.chown(file, options["user"], options["group"])
        return [binary("pgbouncer", "pgbouncer"), str(settings)]

    def admin(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to PgBouncer's own console, which knows the simple protocol alone."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname="pgbouncer",
            autocommit=True,
            cursor_factory=psycopg.ClientCursor,
        )

    def sessions(self, user: str = "app") -> int:
        return self._behind.sessions(user)

    def _create_application_user(self) -> None:
        pass
