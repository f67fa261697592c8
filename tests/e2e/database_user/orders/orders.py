"""Runs one statement, as whoever the construct lets it log in."""

from __future__ import annotations

from typing import Any

import breakwater_runtime as breakwater

database = breakwater.database()


def handler(event: dict[str, Any], context: Any) -> list[list[Any]] | None:
    with database.connection(context) as connection, connection.cursor() as cursor:
        cursor.execute(event["statement"])
        return [list(row) for row in cursor.fetchall()] if cursor.description else None
