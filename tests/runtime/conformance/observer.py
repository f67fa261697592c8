"""The application's own user, with the driver alone: what is in the database, whatever the runtime says."""

from __future__ import annotations

from typing import Any

import psycopg
import pymysql
from servers import MariaDbServer, PostgreSqlServer


def observer(server: MariaDbServer | PostgreSqlServer) -> Any:
    """Open a connection with autocommit, as a context manager that closes it."""
    where: dict[str, Any] = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    if server.engine == "mariadb":
        tls: dict[str, Any] = {"ssl_ca": str(server.certificate.ca)} if server.certificate else {"ssl_disabled": True}
        return pymysql.connect(**where, **tls, database=server.database, autocommit=True)
    return psycopg.connect(**where, dbname=server.database, autocommit=True)
