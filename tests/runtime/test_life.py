"""The connection's life as a state machine, against real servers: whatever happens, in whatever order."""

from __future__ import annotations
