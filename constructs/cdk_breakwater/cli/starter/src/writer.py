"""Writes one order after the other, by the one connection that its execution environment keeps."""

import json

import breakwater_runtime as breakwater

database = breakwater.database()


@breakwater.batch
def handler(record, context):
    """Write one order; what it returns is the answer to GET …/{job}."""
    order = json.loads(record["body"])
    with database.connection(context) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT %s || ' ordered'", (order["article"],))  # your INSERT goes here
        return {"order": cursor.fetchone()[0]}
