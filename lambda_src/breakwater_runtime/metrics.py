"""Counters in CloudWatch's embedded metric format: one line per invocation at most, none where nothing happened."""

from __future__ import annotations

import os
import sys
from time import time

NAMESPACE = "Breakwater"
# reuses alone are no news: they are written with the next event
_NEWS = ("Connects", "Heals", "Closes", "ZombiesEnded", "Waits", "Unavailable")


class Counters:
    """What happened since the last line.

    Attributes
    ----------
    connects, reuses, heals, closes, zombies_ended, waits, unavailable
        Connections opened, used again, found dead, given back; sessions of frozen environments ended; attempts that
        had to be repeated; blocks that got no connection.
    server_connections, server_max_connections
        What the last look at the server saw, None without one.
    """

    def __init__(self, downstream: str, *, on: bool | None = None) -> None:
        self._downstream = downstream
        # standard output is Lambda's log; elsewhere it is somebody else's
        self._on = "AWS_LAMBDA_FUNCTION_NAME" in os.environ if on is None else on
        self._request_id: str | None = None
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.connects = self.reuses = self.heals = self.closes = self.zombies_ended = self.waits = 0
        self.unavailable = 0
        self.server_connections: int | None = None
        self.server_max_connections: int | None = None

    def values(self) -> dict[str, int]:
        """Return the counters by the names that CloudWatch shows."""
        values = {
            "Connects": self.connects,
            "Reuses": self.reuses,
            "Heals": self.heals,
            "Closes": self.closes,
            "ZombiesEnded": self.zombies_ended,
            "Waits": self.waits,
            "Unavailable": self.unavailable,
        }
        if self.server_connections is not None and self.server_max_connections is not None:
            values["ServerConnections"] = self.server_connections
            values["ServerMaxConnections"] = self.server_max_connections
        return values

    def flush(self, context: object | None) -> None:
        """Write a line if something is worth it and this invocation has written none."""
        if not self._on:
            return
        request_id = getattr(context, "aws_request_id", None)
        if request_id is not None and request_id == self._request_id:
            return
        values = self.values()
        if "ServerConnections" not in values and not any(values[name] for name in _NEWS):
            return
        import json

        self._request_id = request_id
        # Amazon CloudWatch User Guide, "Specification: Embedded metric format"
        line = {
            "_aws": {
                "Timestamp": int(time() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [["FunctionName", "Downstream"]],
                        "Metrics": [{"Name": name, "Unit": "Count"} for name in values],
                    }
                ],
            },
            "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"),
            "Downstream": self._downstream,
            **values,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        self.clear()
