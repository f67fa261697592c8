"""MariaDB."""

from __future__ import annotations

import secrets
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql

from servers.certificates import CERTIFIED
from servers.server import Server, binary, free_port

if TYPE_CHECKING:
    from servers.certificates import Certificate

# Debian's name for the folder, then upstream's
_SCRIPTS = [Path("/usr/share/mysql"), Path("/usr/share/mariadb")]
_SYSTEM_TABLES = ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"]


class MariaDbServer(Server):
    """A MariaDB server; `admin()` goes through `extra_port`, which has a slot of its own."""

    engine = "mariadb"

    def __init__(
        self, max_connections: int = 30, certificates: Certificate | None = None, *, require_tls: bool = False
    ) -> None:
        # the server's own lower limit; a smaller number would be raised without a word
        if max_connections < 10:
            raise ValueError(f"max_connections must be at least 10 for MariaDB (given {max_connections})")
        super().__init__(max_connections, certificates, require_tls=require_tls)
        self._extra_port = 0
        self._admin_password = secrets.token_urlsafe(12)

    def _initialise(self) -> None:
        # what mariadb-install-db does, without the programs of other packages that it calls
        scripts = next((folder for folder in _SCRIPTS if (folder / _SYSTEM_TABLES[0]).exists()), None)
        if scripts is None:
            raise RuntimeError("MariaDB's system tables are missing. Install them: apt-get install mariadb-server-core")
        statements = "create database mysql;\nuse mysql;\nset @auth_root_socket=NULL;\n"
        statements += "".join((scripts / name).read_text() for name in _SYSTEM_TABLES)
        (self.folder / "data").mkdir()
        bootstrap = subprocess.run(
            [*self._program(), "--bootstrap"], input=statements.encode(), capture_output=True, check=False
        )
        if bootstrap.returncode:
            raise RuntimeError(f"mariadbd --bootstrap failed: {bootstrap.stderr.decode()[-3000:]}")
        (self.folder / "users.sql").write_text(
            "CREATE OR REPLACE USER breakwater_admin@'127.0.0.1' IDENTIFIED BY "
            f"'{self._admin_password}';\nGRANT ALL ON *.* TO breakwater_admin@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def _program(self) -> list[str]:
        return [
            binary("mariadbd", "mariadb-server-core"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder}",  # a starting server clears the temporary files of others in a shared one
            "--user=root",
            "--lc-messages=en_US",
            # small and quick: nothing here outlives a test
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=4M",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-dump-at-shutdown=OFF",
            "--innodb-buffer-pool-load-at-startup=OFF",
            "--skip-log-bin",
        ]

    def _command(self) -> list[str]:
        self._extra_port = self._extra_port or free_port()
        command = [
            *self._program(),
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--extra-port={self._extra_port}",
            "--extra-max-connections=20",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'users.sql'}",
            f"--max-connections={self.max_connections}",
            "--skip-name-resolve",
            "--back-log=1000",
        ]
        if self.certificate:
            own = self.certificate
            command += [f"--ssl-cert={own.certificate}", f"--ssl-key={own.key}", f"--ssl-ca={own.ca}"]
        if self.require_tls:
            command.append("--require-secure-transport=ON")
        return command

    def admin(self) -> pymysql.Connection:
        context = ssl.create_default_context(cafile=str(self.certificate.ca)) if self.certificate else None
        if context:
            # the administrator looks on also where the certificate is a wrong one
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return pymysql.connect(
            host=self.host,
            port=self._extra_port,
            user="breakwater_admin",
            password=self._admin_password,
            ssl=context,
            ssl_disabled=context is None,
            autocommit=True,
        )

    def sessions(self, user: str = "app") -> int:
        with self.admin() as admin, admin.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s", (user,))
            row = cursor.fetchone()
        assert row is not None
        return row[0]

    def add_user(self, name: str, password: str) -> None:
        """Add one more user with every right on the database, none on the server."""
        with self.admin() as admin, admin.cursor() as cursor:
            cursor.execute(f"CREATE OR REPLACE USER {name}@'127.0.0.1' IDENTIFIED BY %s", (password,))
            cursor.execute(f"GRANT ALL ON {self.database}.* TO {name}@'127.0.0.1'")

    def _create_application_user(self) -> None:
        with self.admin() as admin, admin.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {self.database} CHARACTER SET utf8mb4")
        self.add_user(self.user, self.password)
        if self.require_tls:
            self.add_user(CERTIFIED, self.password)
            with self.admin() as admin, admin.cursor() as cursor:
                cursor.execute(f"ALTER USER {CERTIFIED}@'127.0.0.1' REQUIRE X509")
