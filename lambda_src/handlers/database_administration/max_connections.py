"""The server's real `max_connections`, against the number that the budget was computed from."""

from __future__ import annotations

import os
from typing import Any

import breakwater_runtime as breakwater


def verify(event: dict[str, Any], context: Any, server: str) -> dict[str, Any]:
    """Read the server's `max_connections`.

    Raises
    ------
    RuntimeError
        When it is below the number that the budget was computed from; this fails the deployment.
    """
    if event["RequestType"] != "Delete":
        properties = event["ResourceProperties"]
        expected, found = int(properties["MaxConnections"]), _read(properties.get("Database"), context)
        if found < expected:
            # PostgreSQL takes it at its next start, and a deployment that fails here takes the new value back.
            raise RuntimeError(
                f"The database at {server} has max_connections = {found}, and the shares were computed from {expected} "
                f"({properties['Basis']}). Pass ConnectionBudget.of(database, max_connections={found}). Where the "
                "parameter was raised: deploy it so, reboot the database, and leave the number out in a second "
                "deployment."
            )
    return {"PhysicalResourceId": f"max-connections@{server}"}


def _read(name: str | None, context: Any) -> int:
    postgresql = os.environ["BREAKWATER_ENGINE"] == "postgresql"
    database = breakwater.database(database=name)
    try:
        with database.connection(context) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW max_connections" if postgresql else "SELECT @@max_connections")
            return int(cursor.fetchone()[0])
    finally:
        database.close()
