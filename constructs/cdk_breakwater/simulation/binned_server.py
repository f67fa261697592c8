"""The connections of a server as an amount."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .application import Server
    from .history import ServerHistory


class BinnedServer:
    """A server's connections."""

    def __init__(self, server: Server, history: ServerHistory) -> None:
        self.history = history
        self.available = True
        self.held = 0.0
        self._usable = server.usable

    @property
    def free(self) -> float:
        """How many more it takes."""
        return max(0.0, self._usable - self.held) if self.available else 0.0
