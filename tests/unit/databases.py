"""Databases that many unit tests begin with."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_rds as rds

POSTGRESQL = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)


def imported_instance(stack: cdk.Stack, **options: Any) -> rds.IDatabaseInstance:
    """Import a PostgreSQL of which nothing is known but its address, unless options say more."""
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_identifier="shop",
        instance_endpoint_address="shop.example.net",
        port=5432,
        **{"engine": POSTGRESQL, "security_groups": [], **options},
    )
