"""How long an invocation may still take."""

from __future__ import annotations

from time import monotonic
from typing import Protocol, cast

# what is left to the handler when the runtime gives up: to answer, to log, to put a message back
MARGIN_SECONDS = 0.5
# without a context and without the function's timeout: as long as API Gateway lets its callers wait is too long
# (29 s), an interactive caller's patience is not
DEFAULT_SECONDS = 15.0


class LambdaContext(Protocol):
    """What the runtime needs of the context that Lambda passes to a handler."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""
        ...


class Deadline:
    """A point in time, a margin before the invocation's end."""

    __slots__ = ("_at",)

    def __init__(self, context: object | None, function_timeout: float | None = None) -> None:
        if context is None:
            seconds = function_timeout or DEFAULT_SECONDS
        else:
            seconds = cast("LambdaContext", context).get_remaining_time_in_millis() / 1000
        self._at = monotonic() + seconds - MARGIN_SECONDS

    def remaining(self) -> float:
        """Return the seconds left, negative once it is past."""
        return self._at - monotonic()

    def within(self, seconds: float) -> Deadline:
        """Return this deadline, or the one in so many seconds if that is sooner."""
        sooner = object.__new__(Deadline)
        sooner._at = min(self._at, monotonic() + seconds)
        return sooner
