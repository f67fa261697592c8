"""What a deployment does on the database itself, logged in as its administrator: users, and a look at its limit."""

from __future__ import annotations

import os
from typing import Any

from . import max_connections, user

_RESOURCES = {"Custom::DatabaseUser": user.change, "Custom::MaxConnections": max_connections.verify}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do what CloudFormation asks of a custom resource of this library, and return the answer's own fields."""
    server = f"{os.environ['BREAKWATER_HOST']}:{os.environ['BREAKWATER_PORT']}"
    return _RESOURCES[event["ResourceType"]](event, context, server)
