"""Holds a connection for a moment, as work does."""

from __future__ import annotations

from typing import Any

import breakwater_runtime as breakwater

database = breakwater.database()


def handler(event: dict[str, Any], context: Any) -> int:
    with database.connection(context) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(%s), 1", (event.get("seconds", 0.05),))
        return int(cursor.fetchone()[1])
