"""How long an invocation may still take."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, cast

from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Protocol

    class LambdaContext(Protocol):
        """What the runtime needs of the context that Lambda passes to a handler."""

        def get_remaining_time_in_millis(self) -> int:
            """Return the milliseconds until Lambda ends the invocation."""
            ...


# what is left to the handler when the runtime gives up: to answer, to log, to put a message back
MARGIN_SECONDS = 0.5
# without a context and without the function's timeout: as long as API Gateway lets its callers wait is too long
# (29 s), an interactive caller's patience is not
DEFAULT_SECONDS = 15.0


class Deadline:
    """A point in time, a margin before the invocation's end.

    Parameters
    ----------
    context
        Lambda's context. None: that of the `invocation` block around, else the function's timeout from now.
    function_timeout
        In seconds; None: 15.
    """

    __slots__ = ("_at",)

    def __init__(self, context: object | None, function_timeout: float | None = None) -> None:
        around = _invocation.get() if context is None else None
        if around is not None:
            self._at = around._at
            return
        # before the context is asked: a process that stands still in between ends its waits too soon, not too late
        now = monotonic()
        if context is None:
            seconds = function_timeout or DEFAULT_SECONDS
        else:
            try:
                seconds = cast("LambdaContext", context).get_remaining_time_in_millis() / 1000
            except AttributeError:
                kind = type(context).__name__
                raise ConfigurationError(
                    f"context is a {kind}, which has no get_remaining_time_in_millis(). It is the second argument that "
                    "Lambda passes to a handler; leave it out where there is none."
                ) from None
        self._at = now + seconds - MARGIN_SECONDS

    def remaining(self) -> float:
        """Return the seconds left, negative once it is past."""
        return self._at - monotonic()

    def within(self, seconds: float) -> Deadline:
        """Return this deadline, or the one in so many seconds if that is sooner."""
        return _at(min(self._at, monotonic() + seconds))

    def at_least(self, seconds: float) -> Deadline:
        """Return one that leaves so many seconds from now, within the margin if need be."""
        return _at(max(self._at, monotonic() + seconds))


def _at(point: float) -> Deadline:
    deadline = object.__new__(Deadline)
    deadline._at = point
    return deadline


BOUNDS: list[Callable[[float], AbstractContextManager[object]]] = []
"""A driver's own way to bound what it does in a block by so many seconds."""
_invocation: ContextVar[Deadline | None] = ContextVar("breakwater_invocation", default=None)


@contextmanager
def invocation(context: object) -> Iterator[None]:
    """Bound every wait of a block by the invocation's remaining time.

    Clients that have no argument for Lambda's context know the function's timeout alone: Redis, MongoDB, a Data API or
    a fetched secret. In this block they know when the invocation ends, also where little is left of it. `batch` and
    `fan_out` with a context do the same for what they call.

    Parameters
    ----------
    context
        Lambda's context.
    """
    deadline = Deadline(context)
    token = _invocation.set(deadline)
    try:
        with ExitStack() as stack:
            for bound in BOUNDS:
                stack.enter_context(bound(max(0.001, deadline.remaining())))
            yield
    finally:
        _invocation.reset(token)
