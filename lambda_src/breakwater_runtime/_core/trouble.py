"""What an error of a driver means for the connection and for `run()`; each driver has one table of its codes."""

from __future__ import annotations

from enum import Enum


class Trouble(Enum):
    """What an error means."""

    FULL = "full"
    """The server, or the account, has no connection left."""
    LOGIN = "login"
    """The login was refused: the secret may have rotated."""
    PASSING = "passing"
    """The server can't be reached, or is starting, or is going down: it passes."""
    LOST = "lost"
    """The session is gone, and with it an open transaction."""
    CONFLICT = "conflict"
    """The server has rolled the transaction back (deadlock, serialization); the session is sound."""
    STALE = "stale"
    """This session will never do again what is asked: read-only after a failover, a plan that changed."""
    LASTING = "lasting"
    """Whatever else: repeating won't help."""
