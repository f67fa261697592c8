"""Brings the schema to its latest version; runs on deploy, and as often as one likes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import breakwater_runtime as breakwater

if TYPE_CHECKING:
    from collections.abc import Iterator

database = breakwater.database()

POSTGRESQL = os.environ["BREAKWATER_ENGINE"] == "postgresql"
INSTANT = "timestamptz" if POSTGRESQL else "DATETIME(3)"
# MySQL has no CREATE INDEX IF NOT EXISTS, PostgreSQL no index within CREATE TABLE.
INDEX_IN_TABLE = "" if POSTGRESQL else ", INDEX orders_latest (placed_at, order_id)"
INDEX = ("CREATE INDEX IF NOT EXISTS orders_latest ON orders (placed_at, order_id)",) if POSTGRESQL else ()

# Append, never edit: a version that was deployed stays what it was. PostgreSQL applies all of them or none. MySQL and
# MariaDB commit at each CREATE, so that those must be repeatable: a deployment that broke off goes on where it stopped.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE IF NOT EXISTS products (
            sku VARCHAR(32) PRIMARY KEY, name VARCHAR(128) NOT NULL, units_sold BIGINT NOT NULL DEFAULT 0)""",
        f"""CREATE TABLE IF NOT EXISTS orders (
            order_id VARCHAR(36) PRIMARY KEY, customer VARCHAR(128) NOT NULL, placed_at {INSTANT} NOT NULL,
            total_cents BIGINT NOT NULL CHECK (total_cents >= 0){INDEX_IN_TABLE})""",
        """CREATE TABLE IF NOT EXISTS order_lines (
            order_id VARCHAR(36) NOT NULL, line_number INT NOT NULL, sku VARCHAR(32) NOT NULL,
            quantity INT NOT NULL CHECK (quantity > 0), unit_price_cents BIGINT NOT NULL,
            PRIMARY KEY (order_id, line_number),
            FOREIGN KEY (order_id) REFERENCES orders (order_id), FOREIGN KEY (sku) REFERENCES products (sku))""",
        *INDEX,
    ),
    (
        """INSERT INTO products (sku, name) VALUES
            ('BUOY', 'Mooring buoy'), ('CLEAT', 'Dock cleat'), ('FENDER', 'Boat fender'),
            ('LANTERN', 'Pier lantern'), ('ROPE', 'Rope, 50 m'), ('SEXTANT', 'Brass sextant')""",
    ),
)
LOCK = 0x0DE5  # any number that nothing else on this database uses for an advisory lock


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Apply what is missing; the deployment fails if this raises."""
    with database.connection(context) as connection, connection.cursor() as cursor, only_one(cursor, context):
        cursor.execute("CREATE TABLE IF NOT EXISTS schema_version (version INT PRIMARY KEY)")
        return {"applied": list(migrate(cursor)), "version": len(MIGRATIONS)}


def migrate(cursor: Any) -> Iterator[int]:
    """Apply the missing versions in order and yield their numbers."""
    cursor.execute("SELECT COALESCE(MAX(version), 0) FROM schema_version")
    (current,) = cursor.fetchone()
    for version, statements in enumerate(MIGRATIONS[current:], start=current + 1):
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("INSERT INTO schema_version (version) VALUES (%s)", (version,))
        yield version


@contextmanager
def only_one(cursor: Any, context: Any) -> Iterator[None]:
    """Keep a second migration out until this one has ended.

    Raises
    ------
    TimeoutError
        If another one keeps MySQL's or MariaDB's lock for half of the time that is left.
    """
    if POSTGRESQL:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))  # released with the transaction
        yield
        return
    name, patience = f"orders-{LOCK}", context.get_remaining_time_in_millis() // 2000
    cursor.execute("SELECT GET_LOCK(%s, %s)", (name, patience))
    if cursor.fetchone() != (1,):
        raise TimeoutError(f"another migration of this schema is still running after {patience} s")
    try:
        yield
        cursor.connection.commit()  # a lock of the session ends sooner than the transaction, unless this comes first
    finally:
        cursor.execute("SELECT RELEASE_LOCK(%s)", (name,))
