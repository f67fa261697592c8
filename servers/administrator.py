"""An administrator with about what the master user of RDS may do: databases and users, nothing of a superuser's."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from servers.postgresql import PostgreSqlServer

if TYPE_CHECKING:
    from servers.mariadb import MariaDbServer

NAME = "administrator"
_MARIADB_PRIVILEGES = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, "
    "CREATE USER, EVENT, TRIGGER, DELETE HISTORY"
)


def create_administrator(server: MariaDbServer | PostgreSqlServer) -> str:
    """Create the user `NAME` and return its password."""
    password = secrets.token_urlsafe(12)
    if isinstance(server, PostgreSqlServer):
        statements = [f"CREATE ROLE {NAME} LOGIN CREATEROLE CREATEDB PASSWORD '{password}'"]
    else:
        statements = [
            f"CREATE USER {NAME}@'%' IDENTIFIED BY '{password}'",
            f"GRANT {_MARIADB_PRIVILEGES} ON *.* TO {NAME}@'%' WITH GRANT OPTION",
        ]
    admin: Any = server.admin()
    with admin, admin.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    return password
