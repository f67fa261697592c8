"""Users of MySQL and MariaDB. Every statement commits at once; there is no transaction around them."""

# ruff: noqa: D102 -- the methods are described in account.py

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pymysql.err import OperationalError, ProgrammingError

from .account import Account, Login
from .grant import Grant, settle

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a rollback revokes may never have been granted: no such grant (of a table, of a routine), no such table, no such
# routine, no privilege for this kind of object, no privilege at all.
_NEVER_GRANTED = {1141, 1147, 1403, 1146, 1305, 1144, 1064}
_IAM_PLUGIN = "AWSAuthenticationPlugin"
_NO_SUCH_SESSION, _NO_SUCH_PROCEDURE = 1094, 1305


class MySqlAccount(Account):
    """The user `'name'@'%'`."""

    def is_administrator(self) -> bool:
        return self._rows("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1)") == [(self._name,)]

    def exists(self) -> bool:
        # at any host: one that is narrower than '%' would win over it
        return bool(self._rows("SELECT 1 FROM mysql.user WHERE User = %s", self._name))

    def uses_iam(self) -> bool:
        plugins = self._rows("SELECT plugin FROM mysql.user WHERE User = %s", self._name)
        return plugins == [(_IAM_PLUGIN,)]

    def has_password(self, password: str) -> bool | None:
        if os.environ["BREAKWATER_ENGINE"] != "mariadb":
            return None
        # Also of a user that is locked, since its creation was interrupted, or at its limit of connections.
        kept = self._rows("SELECT plugin, authentication_string FROM mysql.user WHERE User = %s", self._name)
        return kept == [("mysql_native_password", _native_hash(password))]

    def hidden(self, text: str, password: str) -> str:
        return super().hidden(text, password).replace(_native_hash(password), "…")

    def set(
        self, login: Login | None, connection_limit: int, wanted: list[Grant], before: Sequence[Grant]
    ) -> list[str]:
        made = not self.exists()
        identified = "" if login is None else self._identified(login.password)
        if made:
            # locked until it has all it needs
            self._run(f"CREATE USER %s@'%%' {identified} ACCOUNT LOCK", self._name)
        try:
            settle(wanted, before, self._grant, self._revoke)
            tls = "REQUIRE SSL" if os.environ.get("BREAKWATER_TLS_CA") else "REQUIRE NONE"
            self._run(
                f"ALTER USER %s@'%%' {identified} {tls} WITH MAX_USER_CONNECTIONS %s ACCOUNT UNLOCK",
                self._name,
                connection_limit,
            )
        except Exception:
            if made:
                self.drop()
            raise
        return []

    def drop(self) -> None:
        # MariaDB and MySQL drop what is granted with it, and nobody owns a table.
        self._run("DROP USER IF EXISTS %s@'%%'", self._name)

    def lock(self) -> None:
        self._run("ALTER USER IF EXISTS %s@'%%' ACCOUNT LOCK", self._name)

    def shut_out(self) -> None:
        self.lock()
        for (session,) in self._rows("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = %s", self._name):
            self._end(session)

    def _end(self, session: int) -> None:
        try:
            # RDS's administrator may not KILL. Source: Amazon RDS User Guide, "Ending a session or query".
            self._run("CALL mysql.rds_kill(%s)", session)
        except (OperationalError, ProgrammingError) as error:
            if error.args[0] == _NO_SUCH_SESSION:
                return
            if error.args[0] != _NO_SUCH_PROCEDURE:
                raise
            with suppress(OperationalError):
                self._run("KILL %s", session)

    def _identified(self, password: str | None) -> str:
        if password is None:
            # Source: RDS User Guide, "Creating a database account using IAM authentication".
            return f"IDENTIFIED WITH {_IAM_PLUGIN} AS 'RDS'"
        if os.environ["BREAKWATER_ENGINE"] == "mariadb":
            # MariaDB's logs show statements as they came, so that it gets the hash, of which no password can be made.
            return f"IDENTIFIED VIA mysql_native_password USING '{_native_hash(password)}'"
        # MySQL's logs show this rewritten, without the password, and its hash differs among versions.
        # Source: MySQL 8.4 Reference Manual, "Passwords and Logging".
        return f"IDENTIFIED BY {self._connection.escape(password)}".replace("%", "%%")

    def _grant(self, grant: Grant) -> None:
        self._run(f"GRANT {grant.privilege} ON {self._object(grant)} TO %s@'%%'", self._name)

    def _revoke(self, grant: Grant) -> None:
        try:
            self._run(f"REVOKE {grant.privilege} ON {self._object(grant)} FROM %s@'%%'", self._name)
        except (OperationalError, ProgrammingError) as error:
            if error.args[0] not in _NEVER_GRANTED:
                raise

    def _object(self, grant: Grant) -> str:
        database, name = grant.name
        if name == "*" and not self._literal_names():
            # In a grant on a whole database, the name is a pattern.
            # Source: MySQL 8.4 Reference Manual, "GRANT Statement"; MariaDB documentation, "GRANT".
            database = database.replace("_", r"\_").replace("%", r"\%")
        quoted = ".".join(part if part == "*" else f"`{part.replace('`', '``')}`" for part in (database, name))
        kind = "" if grant.kind == "TABLE" else f"{grant.kind} "
        return (kind + quoted).replace("%", "%%")

    def _literal_names(self) -> bool:
        # Source: MySQL 8.4 Reference Manual, "Privilege Restriction Using Partial Revokes".
        return self._rows("SHOW VARIABLES LIKE 'partial\\_revokes'") == [("partial_revokes", "ON")]

    def _run(self, statement: str, *parameters: Any) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)

    def _rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall())


def _native_hash(password: str) -> str:
    digest = hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest()  # noqa: S324 -- MySQL's format
    return f"*{digest.upper()}"
