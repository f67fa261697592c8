"""Where the connections of a pool lead, and the deadline of each thread's operation."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from breakwater_runtime.credentials import Credentials
from breakwater_runtime.deadline import Deadline

if TYPE_CHECKING:
    from breakwater_runtime.environment import Settings

# A cache that doesn't answer within Lambda's own default timeout of 3 s, where no other is known, is none.
_DEFAULT_SECONDS = 3.0


class Server:
    """Where the connections of one pool lead, and until when."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.credentials = Credentials(settings)
        self._of_thread = threading.local()

    def begin(self) -> Deadline:
        """Begin an operation: from waiting for a connection to the last answer on it."""
        deadline = Deadline(None, self.settings.function_timeout or _DEFAULT_SECONDS)
        self._of_thread.deadline = deadline
        return deadline

    def deadline(self) -> Deadline:
        """Return that of this thread's operation."""
        deadline: Deadline | None = getattr(self._of_thread, "deadline", None)
        return deadline if deadline is not None and deadline.remaining() > 0 else self.begin()
