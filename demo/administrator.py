"""An administrator's connection into the shop's database, beside those that functions hold."""

from __future__ import annotations

from typing import Any

import psycopg
from servers import MariaDbServer, PostgreSqlServer

SqlServer = MariaDbServer | PostgreSqlServer


def administrator(server: SqlServer) -> Any:
    """Connect, over a slot that the application can't take; the caller closes the connection."""
    if isinstance(server, MariaDbServer):
        admin = server.admin()
        admin.select_db(server.database)
        return admin
    return psycopg.connect(
        host=str(server.folder), port=server.port, user="postgres", dbname=server.database, autocommit=True
    )
