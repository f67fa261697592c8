"""A connection, lent for the duration of a block: `with` or `async with`."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Generic

from breakwater_runtime._core.session import now
from breakwater_runtime.deadline import Deadline

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # whose default is for type checkers alone

    from breakwater_runtime._core.keeper import Keeper
    from breakwater_runtime._core.session import Session

    Connection = TypeVar("Connection", default=Any)
else:
    from typing import TypeVar

    Connection = TypeVar("Connection")


class Lease(Generic[Connection]):
    """A connection, lent for the duration of a `with` block.

    Attributes
    ----------
    keeper
        Who lends it.
    context
        Lambda's context, or None.
    deadline
        When all waiting ends.
    session
        What is lent, None before.
    handle
        The driver object, unless its own `close()` ends the block.
    """

    __slots__ = ("__weakref__", "_request", "_thread", "_trace", "context", "deadline", "handle", "keeper", "session")

    def __init__(self, keeper: Keeper, context: object | None) -> None:
        self.keeper = keeper
        self.context = context
        self.session: Session | None = None
        self.handle: Any = None
        self._request = getattr(context, "aws_request_id", None)

    def ask(self) -> None:
        """Note who asks for the turn: a block may be made in one thread or invocation and begin in another."""
        self._thread = threading.current_thread()
        # Lambda's runtime sets it anew for each invocation; not every caller has the context
        self._trace = os.environ.get("_X_AMZN_TRACE_ID")

    def __enter__(self) -> Connection:
        self.deadline = Deadline(self.context, self.keeper.settings.function_timeout)
        return now(self.keeper.begin(self))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        now(self.keeper.end(self, error))

    def is_over(self, asking: Lease[Any] | None = None) -> bool:
        """Tell whether nobody is left who could end this block: its thread is gone, or in another invocation."""
        if asking is not None and asking._thread is self._thread:
            other_request = self._request and asking._request and self._request != asking._request
            return bool(other_request) or self._trace != asking._trace
        return not self._thread.is_alive()

    def is_callers_own(self, asking: Lease[Any]) -> bool:
        """Tell whether this block would have to end before the one that asks could begin."""
        return self._thread is asking._thread
