"""Writes one row per record, and once only, however often the record is delivered; refuses what is poison."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import breakwater_runtime as breakwater

database = breakwater.database()

_ONCE = (
    "ON CONFLICT DO NOTHING"
    if os.environ["BREAKWATER_ENGINE"] == "postgresql"
    else "ON DUPLICATE KEY UPDATE number = number"
)
INSERT = f"INSERT INTO effects (number, in_group) VALUES (%s, %s) {_ONCE}"  # noqa: S608 -- a constant


@breakwater.batch
def handler(record: dict[str, Any], context: Any) -> None:
    """Write one record."""
    item = _item(record)
    # The emulator waits 50 ms for the log of an invocation that writes none: most of the time that one takes.
    print(item["number"], flush=True)
    if item["poison"] and "MENDED" not in os.environ:
        raise ValueError("poison")
    database.run(lambda connection: write(connection, item), context)


def write(connection: Any, item: dict[str, Any]) -> None:
    """Write the row, and count it in its group: a second effect would be counted, though the key lets no row in."""
    cursor = connection.cursor()
    cursor.execute(INSERT, (item["number"], item["group"]))
    if cursor.rowcount == 1:
        cursor.execute("UPDATE totals SET effects = effects + 1 WHERE in_group = %s", (item["group"],))


def _item(record: dict[str, Any]) -> dict[str, Any]:
    if "kinesis" in record:
        return json.loads(base64.b64decode(record["kinesis"]["data"]))
    if "dynamodb" in record:
        image = record["dynamodb"]["NewImage"]
        return {
            "number": int(image["number"]["N"]),
            "group": int(image["group"]["N"]),
            "poison": image["poison"]["BOOL"],
        }
    return json.loads(record["body"])
