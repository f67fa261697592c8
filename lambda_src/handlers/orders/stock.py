"""How many of a product lie in the warehouse, by its cluster's Data API."""

from __future__ import annotations

from typing import Any

import breakwater_runtime as breakwater

warehouse = breakwater.data_api()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Look a product up, by its `sku`.

    Raises
    ------
    LookupError
        If the warehouse doesn't know it.
    """
    rows = warehouse.execute("SELECT units FROM stock WHERE sku = :sku", {"sku": event["sku"]}, context)
    if not rows:
        raise LookupError(f"no product {event['sku']}")
    return {"sku": event["sku"], "units": rows[0]["units"]}
